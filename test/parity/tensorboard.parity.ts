import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunEvent } from '../../packages/cli/src/record/runEvent.ts';
import { tensorBoardWriter } from '../../packages/cli/src/tensorboard/tensorBoardWriter.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'dropbp-board-'))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Read {
  readonly scalars: Readonly<Record<string, readonly (readonly [step: number, value: number])[]>>;
  readonly tensors: Readonly<Record<string, { plugin: string; values: readonly (readonly [number, string])[] }>>;
}

async function read(): Promise<Read> {
  const { stdout } = await promisify(execFile)('.venv/bin/python', ['test/parity/read_tensorboard.py', folder]);
  return JSON.parse(stdout) as Read;
}

function step(step: number, loss: number): RunEvent {
  const rest = { learningRate: 1e-3, gradientNorm: step === 2 ? null : 0.5, dropped: 0.25, tokens: 1024, seconds: 0.5 };
  return { type: 'step', step, loss, ...rest, memoryBytes: 3 * 2 ** 30 };
}

it('TensorBoard reads what we write, and a run that goes on', async () => {
  let nowMs = 1.7e12;
  const now = (): number => (nowMs += 1000);
  const first = tensorBoardWriter(folder, 1, { now });
  first.observe({ type: 'heldOut', step: 0, loss: 5.5 });
  first.observe({ type: 'sample', step: 0, text: 'Überall 猫 \n **bold**' });
  for (let i = 1; i <= 5; i++) first.observe(step(i, 5 - i / 8));
  first.close();
  // A kill in the middle of a record.
  appendFileSync(join(folder, readdirSync(folder)[0]!), Uint8Array.of(9, 0, 0, 0, 0, 0));
  const second = tensorBoardWriter(folder, 4, { now });
  second.observe(step(4, 3));
  second.observe(step(300, 2));
  second.close();

  const { scalars, tensors } = await read();
  expect(scalars['train/loss']).toEqual([[1, 4.875], [2, 4.75], [3, 4.625], [4, 3], [300, 2]]); // prettier-ignore
  expect(scalars['train/gradient_norm']!.map(([step]) => step)).toEqual([1, 3, 4, 300]);
  expect(scalars['speed/tokens_per_second']![0]).toEqual([1, 2048]);
  expect(scalars['memory/resident_bytes']![0]).toEqual([1, 3 * 2 ** 30]);
  expect(scalars['held_out/loss']).toEqual([[0, 5.5]]);
  expect(Object.keys(scalars).sort()).toEqual([
    ...['held_out/loss', 'memory/resident_bytes', 'speed/seconds_per_step', 'speed/tokens_per_second'],
    ...['train/dropped_share', 'train/gradient_norm', 'train/learning_rate', 'train/loss'],
  ]);
  expect(tensors).toEqual({ sample: { plugin: 'text', values: [[0, 'Überall 猫 \n **bold**']] } });
});
