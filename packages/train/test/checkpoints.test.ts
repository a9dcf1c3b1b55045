import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import type { Batch, BatchIterator, Model, ResumableBatches } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { toyModel } from '@dropbp/testing';
import {
  adamW,
  cosine,
  listCheckpoints,
  restoreCheckpoint,
  sgd,
  train,
  type CheckpointFolder,
  type TrainOptions,
  type TrainStep,
} from '../src/index.ts';
import { batchOf, toyTuned, valuesOf } from './toyTuned.ts';

const rows = [
  [8, 3, 3, 3, 4, 6, 2],
  [7, 0, 0, 12, 10, 8, 1],
  [1, 2, 3, 4],
  [5, 5, 11, 9, 0],
];
const steps = 14;

let model: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  directory = await mkdtemp(join(tmpdir(), 'dropbp-train-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  model.dispose();
  await rm(directory, { recursive: true });
});

function* oneRowBatches(): Generator<Batch> {
  for (let i = 0; ; i++) yield batchOf(rows[(i * 3 + (i >> 2)) % rows.length]!);
}

const dropped = { targetModules: ['q', 'v'], rank: 2, alpha: 4, dropout: 0.2 };

/** Everything in it that a checkpoint has to keep: moments, draws, rates, dropout masks, schedule, best loss. */
function startRun(options: Partial<TrainOptions> = {}, batches: Iterable<Batch> | ResumableBatches = oneRowBatches()) {
  const tuned = toyTuned(model, dropBP({ rate: 0.5, seed: 3, allocation: 'reference' }), lora(dropped));
  const optimizer = options.optimizer ?? adamW({ learningRate: 0.02, weightDecay: 0.1 });
  const run = train(tuned, batches, {
    ...{ steps, optimizer, accumulation: 2, seed: 5, schedule: cosine({ warmupSteps: 3 }) },
    evaluate: { batches: () => [batchOf(...rows)], every: 4 },
    ...options,
  });
  const end = async () => {
    const left = { parameters: await valuesOf(tuned.parameters), optimizer: await optimizer.state() };
    optimizer.dispose();
    tuned.dispose();
    return left;
  };
  return { run, tuned, end };
}

async function collect(run: AsyncIterable<TrainStep>, until = Infinity): Promise<TrainStep[]> {
  const all: TrainStep[] = [];
  for await (const step of run) {
    all.push(step);
    if (step.step === until) break;
  }
  return all;
}

/** A state with the checksum of what it now holds, as whoever wrote it on purpose would give it; other text as it is. */
function sealed(text: string): string {
  try {
    const state = JSON.parse(text) as Record<string, unknown>;
    delete state.checksum;
    const checksum = createHash('sha256').update(JSON.stringify(state)).digest('hex');
    return Array.isArray(JSON.parse(text)) ? text : JSON.stringify({ ...state, checksum });
  } catch {
    return text;
  }
}

/** What must not differ: all but the time. */
const comparable = (all: readonly TrainStep[]): unknown[] =>
  all.map(step => ({ ...step, seconds: 0, calibrationSeconds: 0 }));
const names = async (): Promise<string[]> => (await readdir(directory)).sort();
const kept = (options: Partial<TrainOptions['checkpoints']> = {}) => ({
  checkpoints: { directory, every: 3, ...options },
});

/** A run that nothing stops. */
async function whole(): Promise<{ steps: TrainStep[]; left: unknown }> {
  const { run, end } = startRun();
  return { steps: await collect(run), left: await end() };
}

describe('a run that goes on', () => {
  it.each([1, 3, 5, 8, 13])('after it was killed in step %i is as one that never stopped', async killedAt => {
    const expected = await whole();
    const first = startRun(kept());
    await collect(first.run, killedAt);
    await first.end();
    const second = startRun(kept({ resume: true }));
    const rest = await collect(second.run);
    expect(rest[0]!.step).toBe(1 + 3 * Math.floor((killedAt - 1) / 3) + (killedAt === 5 ? 1 : 0)); // 4 is best
    expect(comparable(rest)).toEqual(comparable(expected.steps.slice(rest[0]!.step - 1)));
    expect(await second.end()).toEqual(expected.left);
  });
  it('again and again', async () => {
    const expected = await whole();
    const seen = new Map<number, unknown>();
    for (let life = 0; life < 40 && !seen.has(steps); life++) {
      const { run, end } = startRun(kept({ every: 1, resume: true }));
      for (const step of await collect(run, 1 + ((life * 7) % 5) + (await listCheckpoints(directory)).length)) {
        if (seen.has(step.step)) expect(comparable([step])).toEqual([seen.get(step.step)]);
        seen.set(step.step, comparable([step])[0]);
      }
      const left = await end();
      if (seen.has(steps)) expect(left).toEqual(expected.left);
    }
    expect([...seen.values()]).toEqual(comparable(expected.steps));
  });
  it('that is over has no more steps', async () => {
    const first = startRun(kept());
    await collect(first.run);
    const left = await first.end();
    const second = startRun(kept({ resume: true }));
    expect(await collect(second.run)).toEqual([]);
    expect(await second.end()).toEqual(left);
  });
  it('begins where there is nothing to go on with', async () => {
    const { run, end } = startRun(kept({ directory: join(directory, 'new/one'), resume: true }));
    expect((await collect(run))[0]!.step).toBe(1);
    await end();
  });
  it('can take further steps, and another learning rate', async () => {
    const first = startRun({ ...kept(), steps: 6 });
    await collect(first.run);
    await first.end();
    const other = { steps: 8, learningRate: 0.001 };
    const refused = startRun({ ...kept({ resume: true }), ...other });
    await expect(collect(refused.run)).rejects.toThrow(
      `the checkpoint ${join(directory, 'step-000006')} was made with another learningRate; got 0.001; expected 0.02; go on with that one, begin a new run in another directory, or take the new on purpose by acceptChanges: ['learningRate'].`,
    );
    await refused.end();
    const second = startRun({ ...kept({ resume: true, acceptChanges: ['learningRate'] }), ...other });
    const rest = await collect(second.run);
    expect(rest.map(({ step }) => step)).toEqual([7, 8]);
    expect(rest[0]!.learningRate).toBeLessThan(0.001);
    await second.end();
  });
  it('asks batches that know their place for it', async () => {
    const asked: unknown[] = [];
    let taken = 0;
    const from = (start: number): { [Symbol.asyncIterator](): BatchIterator } => ({
      [Symbol.asyncIterator]() {
        let at = start;
        return {
          next: () => {
            taken++;
            return Promise.resolve({ done: false as const, value: batchOf(rows[at++ % rows.length]!) });
          },
          get position() {
            return { at };
          },
        };
      },
    });
    const batches: ResumableBatches = {
      ...from(0),
      from(position) {
        asked.push(position);
        return from((position as { at: number }).at);
      },
    };
    const plain = startRun({}, batches);
    const expected = await collect(plain.run);
    await plain.end();
    const first = startRun(kept(), batches);
    await collect(first.run, 4);
    await first.end();
    taken = 0;
    const second = startRun(kept({ resume: true }), batches);
    expect(comparable(await collect(second.run))).toEqual(comparable(expected.slice(3)));
    expect(asked).toEqual([{ at: 6 }]);
    expect(taken).toBe(2 * (steps - 3));
    await second.end();
    const third = startRun(kept({ resume: true }));
    await expect(third.run.next()).resolves.toMatchObject({ done: true }); // it is over: no batch is asked for
    await third.end();
  });
});

describe('what is kept', () => {
  it('is the newest ones, and that of the best held-out loss', async () => {
    const losses = [5, 4, 4.5, 6];
    const { run, tuned, end } = startRun({
      ...kept({ every: 2, keep: 2 }),
      evaluate: { batches: batchesOf, every: 3 },
    });
    let evaluations = 0;
    function* batchesOf(): Generator<Batch> {
      yield batchOf(rows[0]!);
    }
    vi.spyOn(tuned, 'loss').mockImplementation(() => {
      return Promise.resolve({ value: tf.scalar(losses[evaluations++] ?? 9), weight: 1, tokens: 1 });
    });
    const best = new Map<number, Map<string, Float32Array>>();
    for await (const step of run) if (step.isBest === true) best.set(step.step, await valuesOf(tuned.parameters));
    expect([...best.keys()]).toEqual([3, 6]);
    expect(await names()).toEqual(['step-000006', 'step-000012', 'step-000014']);
    expect((await listCheckpoints(directory)).map(({ step }) => step)).toEqual([6, 12, 14]);
    expect(await readdir(join(directory, 'step-000006'))).toEqual([
      ...['optimizer.safetensors', 'parameters.safetensors', 'state.json'],
    ]);
    await restoreCheckpoint(tuned, join(directory, 'step-000006'));
    expect(await valuesOf(tuned.parameters)).toEqual(best.get(6));
    await end();
  });
  it('is told, and so is each step', async () => {
    const told: unknown[] = [];
    const { run, end } = startRun({
      ...kept({ every: 6, keep: 9 }),
      evaluate: { batches: () => [batchOf(rows[0]!)], every: 100 },
      onStep: ({ step }) => void told.push(step),
      onCheckpoint: async ({ step, path }: CheckpointFolder) => {
        told.push([step, (await readdir(path)).length]);
      },
    });
    await collect(run);
    expect(told).toEqual([1, 2, 3, 4, 5, 6, [6, 3], 7, 8, 9, 10, 11, 12, [12, 3], 13, 14, [14, 3]]);
    await end();
  });
  it('is complete: what was half written is removed and never read', async () => {
    const first = startRun(kept());
    await collect(first.run, 4);
    await first.end();
    await mkdir(join(directory, `.step-000009.${crypto.randomUUID()}.tmp`));
    await writeFile(join(directory, 'notes.txt'), 'mine');
    const second = startRun(kept({ resume: true }));
    expect((await collect(second.run, 4))[0]!.step).toBe(4);
    await second.end();
    expect(await names()).toEqual(['notes.txt', 'step-000003']);
  });
  it('costs no tensor', async () => {
    const before = tf.memory().numTensors;
    const first = startRun(kept());
    await collect(first.run, 7);
    await first.end();
    const second = startRun(kept({ resume: true }));
    await collect(second.run);
    await second.end();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('the end of a run', () => {
  it('comes behind the step under way when it is asked to stop, which is kept', async () => {
    const expected = await whole();
    const stop = new AbortController();
    const batches = (function* () {
      let taken = 0;
      for (const batch of oneRowBatches()) {
        if (++taken === 9) stop.abort(); // in step 5
        yield batch;
      }
    })();
    const first = startRun({ ...kept(), stop: stop.signal }, batches);
    const done = await collect(first.run);
    expect(done.map(({ ended }) => ended)).toEqual([...(Array(4).fill(undefined) as undefined[]), 'stop']);
    await first.end();
    expect(await names()).toEqual(['step-000004', 'step-000005']);
    const second = startRun(kept({ resume: true }));
    expect(comparable(await collect(second.run))).toEqual(comparable(expected.steps.slice(5)));
    expect(await second.end()).toEqual(expected.left);
  });
  it('comes too when the stop comes between two steps', async () => {
    const stop = new AbortController();
    const { run, end } = startRun({ ...kept({ every: 100 }), stop: stop.signal });
    const done: TrainStep[] = [];
    for await (const step of run) {
      done.push(step);
      if (step.step === 2) stop.abort();
    }
    expect(done.map(({ step, ended }) => [step, ended])).toEqual([[1, undefined], [2, undefined]]); // prettier-ignore
    expect(await names()).toEqual(['step-000002']);
    await end();
  });
  it('comes when the held-out loss has not fallen for long enough', async () => {
    const evaluate = { batches: () => [batchOf(rows[0]!)], every: 2, patience: 2 };
    const losses = [5, 4, 4, 4.5, 3];
    const run = async (options: Partial<TrainOptions>, until?: number) => {
      const { run, tuned, end } = startRun({ ...options, evaluate });
      vi.spyOn(tuned, 'loss').mockImplementation(() => {
        return Promise.resolve({ value: tf.scalar(losses.shift()!), weight: 1, tokens: 1 });
      });
      const done = await collect(run, until);
      await end();
      return done.map(({ step, isBest, ended }) => [step, isBest, ended]);
    };
    // Killed between the two evaluations that tell nothing new: the count goes on.
    expect((await run(kept({ every: 1 }), 7)).at(-1)).toEqual([7, undefined, undefined]);
    expect(await run(kept({ every: 1, resume: true }))).toEqual([
      [7, undefined, undefined],
      [8, false, 'patience'],
    ]);
    expect(await names()).toEqual(['step-000004', 'step-000007', 'step-000008']);
    expect(losses).toEqual([3]);
  });
});

describe('a run that cannot go on', () => {
  /** One that was killed in step 4, with a checkpoint of step 3. */
  async function killed(): Promise<string> {
    const { run, end } = startRun(kept());
    await collect(run, 4);
    await end();
    return join(directory, 'step-000003');
  }
  async function failure(options: Partial<TrainOptions>, tuned?: Tuned): Promise<string> {
    const run = startRun(options);
    const error: unknown = await collect(
      tuned ? train(tuned, oneRowBatches(), { steps, learningRate: 0.1, ...options }) : run.run,
    ).catch((error: unknown) => error);
    await run.end();
    tuned?.dispose();
    return error instanceof Error ? error.message : 'nothing';
  }

  it('says what is in the way', async () => {
    const folder = await killed();
    expect(await failure(kept())).toBe(
      `[@dropbp/train] ${directory} holds the checkpoints of a run; got "step-000003"; go on with it by resume: true, or give another directory.`,
    );
    const resumed = kept({ resume: true });
    expect(await failure({ ...resumed, accumulation: 3 })).toContain(
      `the checkpoint ${folder} was made with another accumulation; got 3; expected 2; go on with that one`,
    );
    expect(await failure({ ...resumed, seed: 6 })).toContain('was made with another seed; got 6; expected 5');
    expect(await failure({ ...resumed, optimizer: sgd({ learningRate: 0.1 }) })).toContain(
      'the state is of another optimizer; got "adamW"; expected sgd',
    );
    const same = { ...resumed, accumulation: 2, seed: 5 };
    expect(await failure(same, toyTuned(model))).toContain('was made with DropBP; go on as it began');
    const drop = dropBP({ rate: 0.5, seed: 3, allocation: 'reference' });
    expect(await failure(same, toyTuned(model, dropBP({ rate: 0.4, allocation: 'reference' })))).toContain(
      'the checkpoint was made with another rate',
    );
    const other = lora({ rank: 4, targetModules: ['q', 'v'] });
    const attached = (adapter: ReturnType<typeof lora>): Tuned => compose(model, adapter, drop);
    expect(await failure(same, attached(other))).toMatch(
      /does not fit: its '.*lora_A.*' has the shape \[2,8\], not \[4,8\]/,
    );
    expect(await failure(same, attached(lora({ rank: 2, targetModules: ['q', 'v', 'o'] })))).toMatch(
      /does not fit: it holds no '.*\.o\.lora_A/,
    );
    expect(await failure(same, attached(lora({ rank: 2, targetModules: ['q'] })))).toMatch(
      /does not fit: there is no '.*\.v\.lora_A.*' to train/,
    );
  });
  it.each<[string, (text: string) => string, RegExp]>([
    ['no JSON', text => text.slice(0, 50), /state\.json is no state of a run; .*expected JSON/],
    ['another format', text => text.replace('"format": 2', '"format": 3'), /got 3; expected an object of format 2/],
    ['a list', () => '[]', /is no state of a run; got \[\]/],
    ['a step that is none', text => text.replace('"step": 3', '"step": -3'), /state\.json: step is not usable; got -3/],
    ['an unknown key', text => text.replace('"step"', '"stpe"'), /does not know the option 'stpe'/],
    ['no optimizer', text => text.replace('"optimizer": "adamW"', '"optimizer": 3'), /expected an optimizer/],
    [
      'negative steps',
      text => text.replace(/("[a-z.0-9]*lora_A[^"]*": )\d+/, '$1-1'),
      /steps of '.*' is not usable; got -1/,
    ],
    ['no position', text => text.replace(/ "position": .*\n/, ''), /expected an object with 'position'/],
    [
      'an optimizer of other parameters',
      text => text.replace(/"[a-z.0-9]*lora_A[^"]*"(: \d+)/, '"other"$1'),
      /does not fit: its optimizer knows a 'other', which is not trained/,
    ],
    ['a best that is none', text => text.replace('"best": null', '"best": 3'), /expected the best step and its loss/],
  ])('refuses a state with %s', async (_what, change, message) => {
    const path = join(await killed(), 'state.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, sealed(change(text)));
    expect(change(text)).not.toBe(text);
    expect(await failure(kept({ resume: true }))).toMatch(message);
  });
  it('leaves the parameters as they are', async () => {
    await killed();
    const tuned = toyTuned(model, dropBP({ rate: 0.5, seed: 3, allocation: 'reference' }), lora(dropped));
    const before = await valuesOf(tuned.parameters);
    const optimizer = sgd({ learningRate: 0.1 });
    const options = { steps, accumulation: 2, seed: 5, optimizer, ...kept({ resume: true }) };
    await expect(collect(train(tuned, oneRowBatches(), options))).rejects.toThrow('the state is of another optimizer');
    expect(await valuesOf(tuned.parameters)).toEqual(before);
    tuned.dispose();
  });
  it('says what a checkpoint is', async () => {
    const folder = await killed();
    const notes = join(directory, 'notes.txt');
    await writeFile(notes, 'mine');
    await expect(listCheckpoints(notes)).rejects.toThrow(
      `[@dropbp/train] the checkpoints in ${notes} cannot be listed; got "ENOTDIR"; it is a file: give the directory that holds them.`,
    );
    await expect(listCheckpoints(undefined as never)).rejects.toThrow('expected the path of a folder');
    const { run, tuned, end } = startRun();
    await expect(restoreCheckpoint(tuned, { step: 3, path: folder } as never)).rejects.toThrow(
      'expected the path of a folder; give the path of what listCheckpoints() gives',
    );
    await expect(restoreCheckpoint(model as never, folder)).rejects.toThrow('expected what compose() gives');
    await run.return();
    await end();
  });
  it('keeps no parameters that are not finite', async () => {
    const { run, tuned, end } = startRun(kept({ every: 1 }));
    const spoil = async (): Promise<void> => {
      for await (const { step } of run) {
        const [weight] = tuned.parameters.values();
        if (step === 3) tf.tidy(() => weight!.assign(tf.fill(weight!.shape, Infinity)));
      }
    };
    const error: unknown = await spoil().catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/'.*' is not finite after this step, so that it is not kept; got Infinity/);
    expect(String(error)).toContain(`The last good state is in ${join(directory, 'step-000002')}.`);
    expect(await names()).toEqual(['step-000001', 'step-000002']);
    await end();
  });
  it('names the last good state, and leaves it', async () => {
    const { run, tuned, end } = startRun(kept());
    const pass = tuned.valueAndGradients.bind(tuned);
    let passes = 0;
    vi.spyOn(tuned, 'valueAndGradients').mockImplementation(async (batch, options) => {
      const result = await pass(batch, options);
      if (++passes < 9) return result;
      result.value.dispose();
      return { ...result, value: tf.scalar(NaN) };
    });
    await expect(collect(run)).rejects.toThrow(
      `the loss of step 5 is not finite; got NaN; the parameters are those of the step before; train with a lower learning rate or a longer warm-up. The last good state is in ${join(directory, 'step-000003')}.`,
    );
    // That of step 4 has the best held-out loss, so that it is kept, and led to NaN, so that no run goes on from it.
    expect(await names()).toEqual(['step-000003', 'step-000004']);
    await end();
  });
  it('takes the checkpoint back whose parameters led to it', async () => {
    const { run, tuned, end } = startRun(kept({ every: 1 }));
    const pass = tuned.valueAndGradients.bind(tuned);
    let passes = 0;
    vi.spyOn(tuned, 'valueAndGradients').mockImplementation(async (batch, options) => {
      const result = await pass(batch, options);
      if (++passes < 13) return result;
      result.value.dispose();
      return { ...result, value: tf.scalar(NaN) };
    });
    const error: unknown = await collect(run).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ isFailure: true });
    expect(String(error)).toContain(`The last good state is in ${join(directory, 'step-000005')}.`);
    expect(await names()).toEqual(['step-000004', 'step-000005']);
    await end();
    const expected = await whole();
    const second = startRun(kept({ every: 1, resume: true }));
    expect(comparable(await collect(second.run))).toEqual(comparable(expected.steps.slice(5)));
    await second.end();
  });
  it('takes it back as well where measuring sensitivities comes upon it', async () => {
    const { run, tuned, end } = startRun(kept({ every: 1 }));
    const spoil = async (): Promise<void> => {
      for await (const { step } of run) {
        // Of 28 draws the third is the one before which sensitivities are measured: the first of step 2.
        if (step !== 1) continue;
        const [weight] = tuned.parameters.values();
        tf.tidy(() => weight!.assign(tf.fill(weight!.shape, 1e38)));
      }
    };
    await expect(spoil()).rejects.toThrow(/gradients are not finite: no sensitivities can be measured on them/);
    expect(await names()).toEqual([]);
    await end();
  });
  it('measures sensitivities late where a run goes on with more steps than it had', async () => {
    const first = startRun({ ...kept(), steps: 4, accumulation: 1 });
    const short = await collect(first.run);
    expect(first.tuned.internal.dropSchedule!.sensitivities).toBeUndefined();
    await first.end();
    const second = startRun({ ...kept({ resume: true }), accumulation: 1 });
    const long = await collect(second.run);
    expect([...short, ...long].map(({ calibrationSeconds }) => calibrationSeconds !== undefined)).toEqual(
      Array.from({ length: 14 }, (_, i) => i === 4),
    );
    expect(second.tuned.internal.dropSchedule!.sensitivities).toHaveLength(6);
    await second.end();
  });
  it.each([
    [
      'an old checkpoint',
      3,
      NaN,
      /^\[@dropbp\/train\] .*step-000001 cannot be removed; got "EBUSY".* The last good state is in .*step-000003\.$/,
    ],
    [
      'one whose parameters led to NaN',
      2,
      5,
      /the loss of step 3 is not finite.* The checkpoint that led to it is to be removed before the run goes on, and was not: .*step-000002 cannot be removed; got "EBUSY"/,
    ],
  ])('because %s cannot be removed says so', async (_what, last, spoiltPass, message) => {
    const { run, tuned, end } = startRun({ ...kept({ every: 1, keep: 2 }), evaluate: undefined as never });
    const pass = tuned.valueAndGradients.bind(tuned);
    let passes = 0;
    vi.spyOn(tuned, 'valueAndGradients').mockImplementation(async (batch, options) => {
      const result = await pass(batch, options);
      if (++passes !== spoiltPass) return result;
      result.value.dispose();
      return { ...result, value: tf.scalar(NaN) };
    });
    const rename = fs.rename;
    vi.spyOn(process.getBuiltinModule('node:fs/promises'), 'rename').mockImplementation((from, to) => {
      const isRemoval = !String(from).endsWith('.tmp') && String(from).includes('step-');
      return isRemoval && existsSync(from)
        ? Promise.reject(Object.assign(new Error('busy'), { code: 'EBUSY' }))
        : rename(from, to);
    });
    const error: unknown = await collect(run).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: 'Problem',
      isFailure: true,
      message: expect.stringMatching(message) as unknown,
    });
    expect((await listCheckpoints(directory)).at(-1)!.step).toBe(last);
    await end();
  });
  it('because the held-out loss is none says so', async () => {
    const { run, tuned, end } = startRun(kept());
    vi.spyOn(tuned, 'loss').mockImplementation(() => Promise.resolve({ value: tf.scalar(NaN), weight: 1, tokens: 1 }));
    await expect(collect(run)).rejects.toThrow(
      'the held-out loss after step 4 is not finite; got NaN; train with a lower learning rate',
    );
    await end();
  });
  it('because the disk is full keeps what was kept', async () => {
    const { run, end } = startRun(kept({ every: 3 }));
    const open = fs.open;
    let written = 0;
    // The third file of the second checkpoint, that of the first evaluation, finds no room.
    vi.spyOn(process.getBuiltinModule('node:fs/promises'), 'open').mockImplementation(async (path, flags, mode) => {
      const handle = await open(path, flags, mode);
      if (flags === 'wx' && ++written === 6) {
        handle.write = () =>
          Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
      }
      return handle;
    });
    await expect(collect(run)).rejects.toThrow(
      `${directory}/step-000004 cannot be written; got "ENOSPC"; the disk is full: make room. The last good state is in ${directory}/step-000003.`,
    );
    await end();
    vi.restoreAllMocks();
    expect(await names()).toEqual(['step-000003']);
    const expected = await whole();
    const second = startRun(kept({ resume: true }));
    expect(comparable(await collect(second.run))).toEqual(comparable(expected.steps.slice(3)));
    await second.end();
  });
  it.each<[string, object, string]>([
    ['no directory', { every: 1 }, 'checkpoints.directory is not usable'],
    ['no interval', { directory: 'x' }, 'checkpoints.every is not usable; got undefined; expected an integer ≥ 1'],
    ['a text for true', { directory: 'x', every: 1, resume: 'no' }, 'checkpoints.resume is not usable; got "no"'],
    ['none to keep', { directory: 'x', every: 1, keep: 0 }, 'checkpoints.keep is not usable; got 0'],
    ['a misspelt option', { directory: 'x', every: 1, resmue: true }, "did you mean 'resume'?"],
  ])('refuses %s', (_what, checkpoints, message) => {
    const tuned = toyTuned(model);
    const options = { steps: 1, learningRate: 0.1, checkpoints } as TrainOptions;
    expect(() => train(tuned, [], options)).toThrow(message);
    tuned.dispose();
  });
});
