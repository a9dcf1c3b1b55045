import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What `make_fixtures.py` wrote. */
export interface Golden {
  readonly tolerance: number;
  readonly cases: readonly {
    readonly name: string;
    /** Keys that are changed. */
    readonly config?: Readonly<Record<string, unknown>>;
    readonly inputIds: number[][];
    readonly attentionMask?: number[][];
    readonly tokenTypes?: number[][];
    /** Of a model that writes text. */
    readonly logits?: number[][][];
    /** Of one that does not: behind the final norm. */
    readonly states?: number[][][];
  }[];
  /** Of a model that writes text. */
  readonly greedy?: { readonly prompt: number[]; readonly tokens: number[] };
}

/** The folder of a fixture. */
export function fixtureFolder(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

export function readGolden(name: string): Golden {
  return JSON.parse(readFileSync(`${fixtureFolder(name)}/golden.json`, 'utf8')) as Golden;
}

export function readConfig(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${fixtureFolder(name)}/config.json`, 'utf8')) as Record<string, unknown>;
}

/** The files of a fixture in memory, with keys of its configuration changed. */
export function fixtureBlobs(name: string, changes: Readonly<Record<string, unknown>> = {}): Map<string, Blob> {
  const config = { ...readConfig(name), ...changes };
  return new Map([
    ['config.json', new Blob([JSON.stringify(config)])],
    ['model.safetensors', new Blob([readFileSync(`${fixtureFolder(name)}/model.safetensors`)])],
  ]);
}
