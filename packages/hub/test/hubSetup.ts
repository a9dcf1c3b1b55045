import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { startHubServer, type HubServer, type TestRepository } from './hubServer.ts';
import { resolveHubSnapshot } from '../src/resolveHubSnapshot.ts';
import type { HubOptions } from '../src/hubOptions.ts';

export const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Bytes without a pattern, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24);
}

export const commit = 'c0ffee'.padEnd(40, '0');
export const older = 'decade'.padEnd(40, '0');
export const id = 'org/tiny-model';
export const weights = noise(70_000);

/** A repository with files that we can use and others. */
export function repository(): TestRepository {
  return {
    commits: {
      [older]: { 'config.json': text('{"old":true}'), 'model.safetensors': weights },
      [commit]: {
        '.gitattributes': text('*.safetensors filter=lfs'),
        'README.md': text('# a model'),
        'additional_chat_templates/tool use.jinja': text('{{ tools }}'),
        'config.json': text('{"model_type":"llama"}'),
        'generation_config.json': text('{}'),
        'model.safetensors': weights,
        'onnx/model.onnx': noise(100, 2),
        'pytorch_model.bin': noise(100, 3),
        'tokenizer.json': text('{"model":{}}'),
        'vocab.json': text('{}'),
      },
    },
    refs: { main: commit, v1: older, 'refs/pr/1': commit },
  };
}

/** What a complete snapshot of {@link repository} holds. */
export const usable = [
  'additional_chat_templates/tool use.jinja',
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
];

export interface Workbench {
  server: HubServer;
  cacheDirectory: string;
  resolve(options?: HubOptions, id?: string): Promise<string>;
  /** The message of the error that it ends with. */
  failure(options?: HubOptions, id?: string): Promise<string>;
}

/** For each test a hub, an empty cache, and an environment that says nothing. Nothing waits for long. */
export function useWorkbench(): Workbench {
  const bench = {
    resolve: (options: HubOptions = {}, name = id) =>
      resolveHubSnapshot(name, {
        endpoint: bench.server.url,
        cacheDirectory: bench.cacheDirectory,
        retry: { firstDelayMs: 1 },
        ...options,
      }),
    failure: (options: HubOptions = {}, name = id) =>
      bench.resolve(options, name).then(
        folder => Promise.reject(new Error(`it gave ${folder}`)),
        (error: unknown) => (error as Error).message,
      ),
  } as Workbench;
  beforeEach(async () => {
    for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING|TRANSFORMERS_)/.test(name)) vi.stubEnv(name, '');
    for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'XDG_CACHE_HOME', 'HF_TOKEN_PATH']) {
      vi.stubEnv(name, undefined);
    }
    bench.cacheDirectory = await mkdtemp(join(tmpdir(), 'hub-'));
    vi.stubEnv('HOME', bench.cacheDirectory);
    bench.server = await startHubServer({ [id]: repository() });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await bench.server.close();
    await rm(bench.cacheDirectory, { recursive: true, force: true });
  });
  return bench;
}

/** The warnings of the process while `action` runs. */
export async function warningsOf(action: () => Promise<unknown>): Promise<string[]> {
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  await action();
  return emit.mock.calls.map(([warning]) => String(warning));
}
