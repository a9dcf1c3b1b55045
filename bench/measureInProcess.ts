import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'tsdown';
import { setUp } from '../scripts/setUp.mjs';
import type { Measured } from './measureStep.ts';

/** Flags of a measurement by name: `{ time: 512 }`. */
export type Flags = Readonly<Record<string, string | number>>;

/**
 * Builds what {@link measureOurs} runs: the packages and measureStep.ts, as users have them. What runs TypeScript directly
 * takes 70 MB of memory for itself.
 */
export async function prepareOurs(): Promise<void> {
  await setUp({ build: true });
  await build({
    cwd: path('.'),
    entry: ['measureStep.ts'],
    outDir: 'out',
    format: 'esm',
    platform: 'node',
    dts: false,
    config: false,
    logLevel: 'warn',
  });
}

/** Runs measureStep.ts in a process of its own. */
export function measureOurs(flags: Flags): Measured {
  return lastLine(process.execPath, [path('out/measureStep.mjs'), ...written(flags)]);
}

/** Runs torch_step.py in a process of its own. */
export function measureTorch(flags: Flags): Measured & { readonly torch: string } {
  return lastLine(path('../.venv/bin/python'), [path('torch_step.py'), ...written(flags)]);
}

function path(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function written(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function lastLine(command: string, args: string[]): Measured & { readonly torch: string } {
  const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Measured & { readonly torch: string };
}
