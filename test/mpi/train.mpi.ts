import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInstalled, mpiKinds } from './mpiKinds.ts';
import { runLauncher } from './runRanks.ts';
import {
  expectReports,
  oneThread,
  trainAlone,
  trainCommand,
  trainOnRanks,
  type TrainRun,
  type TrainRunReport,
} from './trainRuns.ts';
import { twoHosts, type TwoHosts } from './twoHosts.ts';

expectInstalled();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mpi-train-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The same losses as a run of one process, and the same bits on all ranks. */
function expectSameRun(ranks: readonly TrainRunReport[], losses: readonly number[], tokens: readonly number[]): void {
  for (const { losses: own, weights, tokens: counted } of ranks) {
    expect(own).toEqual(ranks[0]!.losses);
    expect(weights).toBe(ranks[0]!.weights);
    expect(counted).toEqual(tokens);
  }
  const worst = Math.max(...losses.map((loss, i) => Math.abs(ranks[0]!.losses[i]! / loss - 1)));
  expect(ranks[0]!.losses).toHaveLength(losses.length);
  expect(worst).toBeLessThan(1e-5);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const runs: readonly TrainRun[] = [
  { adapter: 'lora', steps: 50 },
  { adapter: 'lora', steps: 50, accumulation: 3 },
  { adapter: 'lora', steps: 50, dropped: true },
  { adapter: 'full', steps: 50 },
  { adapter: 'full', steps: 50, dropped: true, accumulation: 2 },
];

describe('ranks do the run of one process', () => {
  it.each(runs)('two: $adapter, DropBP $dropped, accumulation $accumulation', async run => {
    const alone = await trainAlone(run);
    expect(new Set(alone.tokens).size).toBeGreaterThan(5);
    expect(mean(alone.losses.slice(-10))).toBeLessThan(mean(alone.losses.slice(0, 10)));
    expectSameRun(await trainOnRanks(run), alone.losses, alone.tokens);
  });

  it.each(mpiKinds)('four on $name', async kind => {
    const run = { ...runs[2]!, steps: 10 };
    const alone = await trainAlone(run);
    expectSameRun(await trainOnRanks(run, 4, kind), alone.losses, alone.tokens);
  });
});

describe('a checkpoint goes on with another number of ranks', () => {
  it.each([
    { before: 2, after: 1 },
    { before: 1, after: 2 },
  ])('from $before to $after', async ({ before, after }) => {
    const run: TrainRun = { ...runs[2]!, steps: 24, checkpoints: join(folder, `${before}-${after}`) };
    const on = (ranks: number, own: TrainRun): Promise<readonly TrainRunReport[]> =>
      ranks === 1 ? trainAlone(own).then(report => [report]) : trainOnRanks(own, ranks);
    const whole = await trainAlone({ ...runs[2]!, steps: 24 });
    await on(before, { ...run, stopAfter: 12 });
    // The newest checkpoint is of step 10: two steps are done again.
    const wentOn = await on(after, run);
    expectSameRun(wentOn, whole.losses.slice(10), whole.tokens.slice(10));
  });
});

// Network namespaces are root's to make; elsewhere the same runs are tested on one host.
describe.skipIf(process.getuid?.() !== 0)('two hosts, over TCP', () => {
  let hosts: TwoHosts;
  beforeAll(() => {
    hosts = twoHosts();
  });
  afterAll(() => hosts.remove());
  const onHosts = async (run: TrainRun): Promise<readonly TrainRunReport[]> =>
    expectReports(await runLauncher(hosts.launch(2, trainCommand(run)), { environment: oneThread }), 2);
  const files = (name: string): string => join(folder, name);
  const bytes = (name: string): Buffer => readFileSync(join(files(name), 'adapter_model.safetensors'));

  it('do the run of one process', async () => {
    const run = { ...runs[2]!, steps: 30 };
    const alone = await trainAlone(run);
    const ranks = await onHosts(run);
    expect(ranks.map(({ localSize }) => localSize)).toEqual([1, 1]);
    expectSameRun(ranks, alone.losses, alone.tokens);
  });

  it('go on after the cable was out, and leave the same adapter', async () => {
    const run: TrainRun = { ...runs[2]!, steps: 30 };
    const whole = await onHosts({ ...run, adapterFolder: files('whole') });
    const cut: TrainRun = { ...run, checkpoints: files('checkpoints'), adapterFolder: files('again'), pauseMs: 50 };
    let seconds = Infinity;
    const outcome = await runLauncher(hosts.launch(2, trainCommand({ ...cut, timeoutSeconds: 3 })), {
      environment: oneThread,
      meanwhile: async ({ output, ranks, until }) => {
        await until(() => output().includes('step 17'));
        hosts.cut();
        const cutMs = performance.now();
        while (ranks().length > 0 && performance.now() - cutMs < 20_000)
          await new Promise(resolve => setTimeout(resolve, 20));
        seconds = (performance.now() - cutMs) / 1000;
        hosts.mend();
      },
    });
    expect(seconds).toBeLessThan(10);
    expect(outcome.errors).toMatch(/has waited for 3 s/);
    expect(outcome.out).not.toContain('step 30');
    const wentOn = await onHosts(cut);
    expect(wentOn[0]!.losses.length).toBeLessThan(20);
    expect(wentOn[0]!.losses).toEqual(whole[0]!.losses.slice(-wentOn[0]!.losses.length));
    expect(wentOn.map(({ weights }) => weights)).toEqual(whole.map(({ weights }) => weights));
    expect(bytes('again').equals(bytes('whole'))).toBe(true);
  });
});
