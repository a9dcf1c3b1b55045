import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@dropbp/basics';
import { writeTinyModel } from '../../packages/cli/test/tinyModelFolder.ts';

/** A model of random weights and rows to learn from: small, so that many runs take little time. */
export async function writeTinyRun(folder: string): Promise<{ model: string; data: string }> {
  mkdirSync(folder, { recursive: true });
  const [model, data] = [join(folder, 'model'), join(folder, 'data.jsonl')];
  await writeTinyModel(model);
  const random = seededRandom(1);
  const words = 'the a quick brown lazy fox dog jumps over sleeps under and so on'.split(' ');
  const sentence = (): string =>
    Array.from({ length: 2 + Math.floor(random() * 8) }, () => words[Math.floor(random() * words.length)]!).join(' ');
  const rows = Array.from({ length: 200 }, () => JSON.stringify({ prompt: sentence(), completion: ` ${sentence()}` }));
  writeFileSync(data, `${rows.join('\n')}\n`);
  return { model, data };
}

/** Starts `dropbp train` of the built package, without its output. @param nodeFlags - how Node itself is to run */
export function startTraining(args: readonly string[], nodeFlags: readonly string[] = []): ChildProcess {
  const command = fileURLToPath(new URL('../../packages/cli/bin/dropbp.js', import.meta.url));
  return spawn(process.execPath, [...nodeFlags, command, 'train', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** How a process ended: its exit status, or null where a signal ended it, and what it said. */
export function ended(child: ChildProcess): Promise<{ code: number | null; notes: string }> {
  let notes = '';
  child.stderr?.on('data', (chunk: Buffer) => (notes += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ code, notes }));
  });
}
