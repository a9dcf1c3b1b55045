import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
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

/**
 * Runs measureStep.ts in a process of its own that may hold so much memory and no more (Linux): one that comes to hold more is
 * ended.
 *
 * @param limit - in MiB
 * @returns undefined where it needed more
 */
export async function measureOursWithin(flags: Flags, limit: number): Promise<Measured | undefined> {
  const child = spawn(process.execPath, [path('out/measureStep.mjs'), ...written(flags)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const state = { isOver: false };
  const watch = setInterval(() => {
    if (residentMB(child.pid!) <= limit) return;
    state.isOver = true;
    child.kill('SIGKILL');
  }, 20);
  try {
    const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exitOf(child)]);
    if (state.isOver) return undefined;
    if (code !== 0) throw new Error(errors.slice(-2000));
    const measured = JSON.parse(output.trim().split('\n').at(-1)!) as Measured;
    return measured.peakMB <= limit ? measured : undefined;
  } finally {
    clearInterval(watch);
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
}

/** What a process holds now; 0 for one that has ended. */
function residentMB(pid: number): number {
  try {
    const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) / 1024;
  } catch {
    return 0;
  }
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
