import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { Plan } from '../src/commands/plan/planCommand.ts';
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
  const usual = { '--time': '16', '--batch': '2', '--backend': 'cpu' };
  const others = Object.entries(usual).filter(([name]) => !flags.includes(name));
  const args = ['plan', '--model', model, ...others.flat(), ...flags];
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
    const { steps, forms, ...about } = await planned('--no-probe', '--rates', '0,0.25,0.5');
    // What tfjs's own backends cannot keep otherwise is no choice.
    expect(forms.map(({ weights }) => weights)).toEqual(['f32']);
    expect(about).toEqual({ model, parameters: 26_816, trainable: 8192, batch: 2, time: 16, backend: 'cpu' });
    expect(steps.map(({ rate }) => rate)).toEqual([0, 0.25, 0.5]);
    const [none, quarter, most] = steps as [Plan['steps'][0], Plan['steps'][0], Plan['steps'][0]];
    expect(none.saved).toBe(0);
    // Every unit of the rate saves the same.
    expect((none.flops - most.flops) / (none.flops - quarter.flops)).toBeCloseTo(2, 9);
    // Of memory, from the rate on at which the cut moves by half of what is kept: 1/3.
    expect(quarter.memoryBytes).toBe(none.memoryBytes);
    const even = await planned('--no-probe', '--rates', '0,0.25,0.5', '--memory', '1GiB');
    const saved = even.steps.map(({ memoryBytes }) => none.memoryBytes - memoryBytes);
    expect(saved[2]! / saved[1]!).toBeCloseTo(2, 6);
    expect((none.memoryBytes - most.memoryBytes) / saved[2]!).toBeCloseTo((0.5 - 0.25) / 0.5, 6);
    const [full] = (await planned('--no-probe', '--adapter', 'full', '--rates', '0')).steps;
    const [small] = (await planned('--no-probe', '--rank', '1', '--rates', '0')).steps;
    expect(full!.flops).toBeGreaterThan(1.1 * small!.flops);
  });

  it('plans steps with dropped prompts beside whole ones', async () => {
    const flags = ['--no-probe', '--rates', '0,0.5', '--prompt-share', '0.75'];
    const { steps, prompt, solved, solvedWithoutPrompts } = await planned(...flags, '--time-saved', '0.3');
    expect(prompt).toBe(12);
    const of = (rate: number, dropsPrompts: boolean) => steps.find(step => step.rate === rate && step.dropsPrompts === dropsPrompts)!; // prettier-ignore
    expect(of(0, true).saved).toBeGreaterThan(0.25);
    expect(of(0.5, true).saved).toBeGreaterThan(of(0.5, false).saved);
    expect(of(0, true).memoryBytes).toBeLessThan(of(0, false).memoryBytes);
    expect(solvedWithoutPrompts).toBeLessThan(solved!);
    expect(of(solvedWithoutPrompts!, true).saved).toBeGreaterThanOrEqual(0.3 - 1e-9);
    const { out } = await plan(...flags);
    expect(out).toContain('2 × 16 tokens a step, 12 of each 16 a prompt');
    expect(out).toMatch(/\n0 +dropped +\d/);
  });

  it('knows what weights take in each form, as the engine keeps them', { timeout: 30_000 }, async () => {
    const onOrt = (...flags: string[]) => planned('--no-probe', '--backend', 'ort', '--rates', '0', ...flags);
    const { steps, forms } = await onOrt();
    // Linear layers, the table of tokens, and norms, which stay in float32.
    const bytes = (layers: number, table: number): number => layers * 18_432 + table * 257 * 32 + 4 * 5 * 32;
    const kept = { f32: bytes(4, 4), f16: bytes(2, 2), int8: bytes(1, 1), int4: bytes(0.5625, 0.8125) };
    expect(Object.fromEntries(forms.map(({ weights, weightsBytes }) => [weights, weightsBytes]))).toEqual(kept);
    expect(forms.map(({ memoryBytes }) => memoryBytes[0])).toEqual(
      forms.map(({ weightsBytes }) => Math.round(steps[0]!.memoryBytes) - kept.f32 + weightsBytes),
    );
    // The same, whatever it is loaded in.
    const loaded = await onOrt('--weights', 'int4');
    expect(loaded.forms.map(({ weightsBytes }) => weightsBytes)).toEqual(Object.values(kept));
    for (const flags of [
      ['--adapter', 'full'],
      ['--modules-to-save', 'embed_tokens'],
      ['--modules-to-save', 'lm_head'], // tied to the table
    ]) {
      expect((await onOrt(...flags)).forms.map(({ weights }) => weights)).toEqual(['f32']);
    }
  });

  it('knows how a run would draw its drops', async () => {
    const saved = async (...flags: string[]): Promise<number> => {
      const { steps } = await planned('--no-probe', '--rates', '0,0.75', ...flags);
      return steps[0]!.memoryBytes - steps[1]!.memoryBytes;
    };
    // Nothing lies in front of what is trained, so a run does not drop from below: its draws keep hardly more than those of a budget of memory.
    for (const flags of [
      ['--layers-to-transform', '0', '--target-modules', 'q_proj'],
      ['--adapter', 'prompt-tuning'],
    ]) {
      const even = await saved(...flags, '--memory', '1GiB');
      expect((await saved(...flags)) / even).toBeGreaterThan(0.9);
      expect((await saved(...flags)) / even).toBeLessThanOrEqual(1);
    }
  });

  it('plans gradient checkpointing: branches hold their input alone, and what is kept runs twice', async () => {
    const [plain, checkpointed] = [await planned('--no-probe'), await planned('--no-probe', '--checkpointing')];
    checkpointed.steps.forEach(({ rate, flops, memoryBytes }, i) => {
      expect(flops, `at ${rate}`).toBeGreaterThan(plain.steps[i]!.flops);
      expect(memoryBytes, `at ${rate}`).toBeLessThan(plain.steps[i]!.memoryBytes);
    });
    const extra = checkpointed.steps.map(({ flops }, i) => flops - plain.steps[i]!.flops);
    expect(extra[2]! / extra[0]!).toBeCloseTo(0.5, 9); // at 0.5
  });

  it('says which rates are out of reach, and plans the others', async () => {
    const { steps, outOfReach } = await planned('--no-probe', '--rates', '0,0.5,0.95');
    expect(steps.map(({ rate }) => rate)).toEqual([0, 0.5]);
    expect(outOfReach).toMatchObject([{ rate: 0.95, why: expect.stringMatching(/at most 0\.(8999|9)/) as string }]);
    const { code, out } = await plan('--no-probe', '--adapter', 'full', '--include', 'model.norm');
    expect(code).toBe(0);
    expect(out).toMatch(/A rate of 0\.5 is out of reach: .*no branch leads to anything trainable/);
  });

  it('refuses a batch that no memory holds', async () => {
    const { code, notes } = await plan('--batch', '1e9');
    expect([code, notes]).toEqual([2, expect.stringContaining('--batch is too large for the memory of this machine; got 1000000000; expected at most')]); // prettier-ignore
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
      /no drop rate makes a step of 2 × 16 tokens so small; got "100 MiB"; expected --memory to be at least 2\d\d MiB.*; pass --checkpointing, with which it takes less, or take shorter sequences/,
    );
    expect((await plan('--no-probe', '--memory', '100MiB', '--checkpointing')).notes).toContain(
      '; take shorter sequences or a smaller batch',
    );
    expect((await plan('--time-saved', '0.9')).notes).toMatch(
      /expected --time-saved to be at most 0\.\d+ for this model/,
    );
    expect((await plan('--time', '100')).notes).toContain(
      '--time is longer than the model has positions for; got 100; expected at most 64',
    );
  });
});
