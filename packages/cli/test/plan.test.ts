import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { Plan } from '../src/plan/planCommand.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
let model: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-plan-'));
  model = join(folder, 'model');
  await writeTinyModel(model);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function plan(...flags: string[]): Promise<{ code: number; out: string; notes: string }> {
  const terminal = fakeTerminal();
  const shape = flags.includes('--time') ? [] : ['--time', '16'];
  const args = ['plan', '--model', model, '--batch', '2', '--backend', 'cpu', ...shape, ...flags];
  return { code: await runCommandLine({ commands, version: '0.0.0', args, terminal }), ...terminal.written };
}
const planned = async (...flags: string[]): Promise<Plan> => JSON.parse((await plan('--json', ...flags)).out) as Plan;

describe('dropbp plan', () => {
  it('shows FLOPs, time and memory at each rate', async () => {
    const { code, out } = await plan('--rates', '0,0.5');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^8\.19 k of 26\.8 k parameters trained, 2 × 16 tokens a step\n\ndrop rate +GFLOPs a step +time a step +time saved +memory\n/,
    );
    expect(out).toMatch(/\n0\.5 +\d[\d.]* +[\d.]+ s +\d+ % +\d+ MiB\n/);
    expect(out).toMatch(/Times at [\d.]+ GFLOPS forward and [\d.]+ backward, as probed here/);
  });

  it('is a plan of the shape and of what is trained', async () => {
    const { steps, forms, ...about } = await planned('--no-probe', '--rates', '0,0.25,0.75');
    expect(about).toEqual({ model, parameters: 26_816, trainable: 8192, batch: 2, time: 16, backend: 'cpu' });
    expect(steps.map(({ rate }) => rate)).toEqual([0, 0.25, 0.75]);
    const [none, quarter, most] = steps as [Plan['steps'][0], Plan['steps'][0], Plan['steps'][0]];
    expect(none.saved).toBe(0);
    // Every unit of the rate saves the same.
    expect((none.flops - most.flops) / (none.flops - quarter.flops)).toBeCloseTo(3, 9);
    // Of memory, from the rate on at which the cut moves by half of what is kept: 1/3.
    expect(quarter.memoryBytes).toBe(none.memoryBytes);
    const even = await planned('--no-probe', '--rates', '0,0.25,0.75', '--memory', '1GiB');
    const saved = even.steps.map(({ memoryBytes }) => none.memoryBytes - memoryBytes);
    expect(saved[2]! / saved[1]!).toBeCloseTo(3, 6);
    expect((none.memoryBytes - most.memoryBytes) / saved[2]!).toBeCloseTo((0.75 - 0.125) / 0.75, 6);
    // Linear layers alone are kept in fewer bits: 18,432 of the numbers.
    const kept = { f32: 4, f16: 2, int8: 1, int4: 0.5625 };
    expect(forms.map(({ weights, weightsBytes }) => [weights, weightsBytes])).toEqual(
      Object.entries(kept).map(([form, bytes]) => [form, 4 * (26_816 - 18_432) + bytes * 18_432]),
    );
    expect(forms.map(({ memoryBytes }) => memoryBytes[0])).toEqual(
      forms.map(({ weightsBytes }) => Math.round(none.memoryBytes) - 4 * 26_816 + weightsBytes),
    );
    expect((await planned('--no-probe', '--adapter', 'full')).forms.map(({ weights }) => weights)).toEqual(['f32']);
    const [full] = (await planned('--no-probe', '--adapter', 'full', '--rates', '0')).steps;
    const [small] = (await planned('--no-probe', '--rank', '1', '--rates', '0')).steps;
    expect(full!.flops).toBeGreaterThan(1.1 * small!.flops);
  });

  it('solves budgets to a rate, or says what is possible', async () => {
    const time = await planned('--no-probe', '--time-saved', '0.2', '--rates', '0');
    expect(time.steps.map(({ rate }) => rate)).toEqual([0, time.solved]);
    expect(time.steps[1]!.saved).toBeCloseTo(0.2, 9);
    const { solved } = await planned('--no-probe', '--memory', '1GiB');
    expect(solved).toBe(0);
    const impossible = await plan('--no-probe', '--memory', '100MiB');
    expect(impossible.code).toBe(2);
    expect(impossible.notes).toMatch(
      /no drop rate makes a step of 2 × 16 tokens so small; got "0\.10 GiB"; expected --memory to be at least 0\.2\d GiB/,
    );
    expect((await plan('--time-saved', '0.9')).notes).toMatch(
      /expected --time-saved to be at most 0\.\d+ for this model/,
    );
    expect((await plan('--time', '100')).notes).toContain(
      '--time is longer than the model has positions for; got 100; expected at most 64',
    );
  });
});
