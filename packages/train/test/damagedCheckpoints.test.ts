import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { toyModel } from '@dropbp/testing';
import { adamW, findCheckpoint, restoreCheckpoint, train, type TrainOptions, type TrainStep } from '../src/index.ts';
import { batchOf, toyTuned } from './toyTuned.ts';

const rows = [[8, 3, 3, 3, 4, 6, 2], [7, 0, 0, 12, 10, 8, 1], [1, 2, 3, 4]]; // prettier-ignore

let model: Model;
let directory: string;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  directory = await mkdtemp(join(tmpdir(), 'dropbp-damaged-'));
});
afterEach(async () => {
  model.dispose();
  await rm(directory, { recursive: true });
});

function* batches(): Generator<Batch> {
  for (let i = 0; ; i++) yield batchOf(rows[i % rows.length]!);
}

async function steps(
  checkpoints: Partial<TrainOptions['checkpoints']> = {},
  options: Partial<TrainOptions> = {},
): Promise<TrainStep[]> {
  const adapter = lora({ targetModules: ['q', 'v'], rank: 2, alpha: 4, dropout: 0.2 });
  const tuned = toyTuned(model, dropBP({ rate: 0.5, seed: 3 }), adapter);
  const optimizer = adamW({ learningRate: 0.02 });
  const done: TrainStep[] = [];
  try {
    const kept = { directory, every: 1, keep: 3, resume: true, identity: { data: 'rows 1', rank: 2 }, ...checkpoints };
    const given = { steps: 6, optimizer, seed: 5, checkpoints: kept, ...options };
    for await (const step of train(tuned, batches(), given)) done.push({ ...step, seconds: 0 });
    return done;
  } finally {
    optimizer.dispose();
    tuned.dispose();
  }
}
const at = (step: number, file = ''): string => join(directory, `step-00000${step}`, file);
const firstSteps = (count: number): Promise<TrainStep[]> => steps({}, { steps: count });

/** Changes one bit. */
async function flip(path: string, byte: number, bit = 1): Promise<void> {
  const bytes = await readFile(path);
  bytes[byte < 0 ? bytes.length + byte : byte]! ^= bit;
  await writeFile(path, bytes);
}

/** A state that someone has changed, with a checksum that fits. */
async function rewriteState(step: number, change: (state: Record<string, unknown>) => object): Promise<void> {
  const state = JSON.parse(await readFile(at(step, 'state.json'), 'utf8')) as Record<string, unknown>;
  delete state.checksum;
  const changed = change(state);
  const checksum = createHash('sha256').update(JSON.stringify(changed)).digest('hex');
  await writeFile(at(step, 'state.json'), JSON.stringify({ ...changed, checksum }));
}

describe('a checkpoint', () => {
  it.each([
    ['parameters.safetensors', -1],
    ['parameters.safetensors', -30],
    ['parameters.safetensors', 60],
    ['optimizer.safetensors', -1],
    ['optimizer.safetensors', -90],
  ])('of which a bit of %s at %i was flipped is refused, and an older one offered', async (file, byte) => {
    await firstSteps(4);
    await flip(at(4, file), byte);
    await expect(steps()).rejects.toThrow(
      new RegExp(
        `the checkpoint ${at(4)} is damaged: ${file} was changed after it was written, or is of another step; got "SHA-256 [0-9a-f]{64}"; expected [0-9a-f]{64}, as state.json says; the checkpoint of step 3 is whole: go on from it by fromStep: 3\\.`,
      ),
    );
  });
  it.each(['parameters.safetensors', 'optimizer.safetensors', 'state.json'])(
    'with %s of another step is refused',
    async file => {
      await firstSteps(4);
      await cp(at(3, file), at(4, file));
      await expect(steps()).rejects.toThrow(/of another step.* go on from it by fromStep: 3\.$/);
    },
  );
  it('whose folder was renamed is refused', async () => {
    await firstSteps(4);
    await rename(at(4), at(5));
    await expect(steps()).rejects.toThrow(`${at(5)} is of step 4: the folder was renamed`);
  });
  it.each(['parameters.safetensors', 'optimizer.safetensors'])(
    'whose %s was cut is refused without reading it',
    async file => {
      await firstSteps(4);
      await truncate(at(4, file), 100);
      await expect(findCheckpoint(directory)).rejects.toThrow(
        /is damaged: .* was cut or replaced; got "100 bytes"; expected \d+ bytes, as state\.json says; the checkpoint of step 3 is whole/,
      );
      await rm(at(4, file));
      await expect(findCheckpoint(directory)).rejects.toThrow(`${file} cannot be read`);
    },
  );
  it('whose state was changed anywhere is refused', async () => {
    await firstSteps(3);
    const path = at(3, 'state.json');
    const text = await readFile(path, 'utf8');
    for (const [from, to] of [
      ['"rank": 2', '"rank": 3'],
      ['"seed": 5', '"seed": 6'],
      ['"position": null', '"position": {"batch": 1e12}'],
      ['"evaluationsSinceBest": 0', '"evaluationsSinceBest": 1'],
    ] as const) {
      expect(text).toContain(from);
      await writeFile(path, text.replace(from, to));
      await expect(steps()).rejects.toThrow('was changed or damaged after it was written');
    }
  });
  it('is refused where no older one is whole, which nothing is offered for', async () => {
    await firstSteps(2);
    for (const step of [1, 2]) await flip(at(step, 'parameters.safetensors'), -1);
    await expect(steps()).rejects.toThrow(/as state\.json says\.$/);
  });
  it('is not taken by restoreCheckpoint() either', async () => {
    await firstSteps(2);
    await flip(at(2, 'parameters.safetensors'), -1);
    const tuned = toyTuned(model, undefined, lora({ targetModules: ['q', 'v'], rank: 2 }));
    await expect(restoreCheckpoint(tuned, at(2))).rejects.toThrow('is damaged: parameters.safetensors was changed');
    tuned.dispose();
  });
  it('of more steps of a parameter than were done is refused', async () => {
    await firstSteps(2);
    await rewriteState(2, ({ optimizer, ...state }) => {
      const { steps: own, ...rest } = optimizer as { steps: Record<string, number> };
      return { ...state, optimizer: { ...rest, steps: { ...own, [Object.keys(own)[0]!]: 3 } } };
    });
    await expect(steps()).rejects.toThrow(
      /steps of '.*' is not usable; got 3; expected an integer from 0 to 2, the steps done/,
    );
  });
  it('of an earlier version has no checksums, and is taken on purpose alone', async () => {
    const whole = await steps({ directory: join(directory, 'whole') });
    await firstSteps(3);
    const state = JSON.parse(await readFile(at(3, 'state.json'), 'utf8')) as Record<string, Record<string, unknown>>;
    const { accumulation, seed } = state.identity!;
    for (const key of ['checksum', 'files', 'identity', 'plannedSteps']) Reflect.deleteProperty(state, key);
    const old = { ...state, format: 1, options: { accumulation, seed } };
    await writeFile(at(3, 'state.json'), JSON.stringify(old));
    await expect(steps()).rejects.toThrow(
      /has no checksums: it was written by an earlier version.* acceptChanges: \['checksums'\]/,
    );
    expect(await steps({ acceptChanges: ['checksums'] })).toEqual(whole.slice(3));
  });
});

describe('an older checkpoint', () => {
  it('is gone on from as if the later ones had never been, which are set aside', async () => {
    const whole = await steps({ directory: join(directory, 'whole') });
    await firstSteps(4);
    await flip(at(4, 'parameters.safetensors'), -1);
    expect(await steps({ fromStep: 3, keep: 2 })).toEqual(whole.slice(3));
    expect((await readdir(directory)).sort()).toEqual(['aside-step-000004', 'step-000005', 'step-000006', 'whole']);
    await expect(steps({ fromStep: 2 })).rejects.toThrow(
      `there is no checkpoint step-000002 in ${directory}; expected one of step 5, 6.`,
    );
    await expect(steps({ fromStep: 5, resume: false })).rejects.toThrow('expected resume: true beside it');
  });
});

describe('what a run is of', () => {
  it('must be what it was, and is said where it is not', async () => {
    await firstSteps(3);
    await expect(steps({ identity: { data: 'rows 2', rank: 2 } })).rejects.toThrow(
      `the checkpoint ${at(3)} was made with another data; got "rows 2"; expected rows 1; go on with that one, begin a new run in another directory, or take the new on purpose by acceptChanges: ['data'].`,
    );
    await expect(steps({ identity: { data: 'rows 2', rank: 2 } }, { maxGradientNorm: 2 })).rejects.toThrow(
      `was made with another maxGradientNorm and another data; got {"maxGradientNorm":2,"data":"rows 2"}; expected {"maxGradientNorm":1,"data":"rows 1"}; go on with those`,
    );
    await expect(steps({ identity: {} })).rejects.toThrow(
      'another data and another rank; got {"data":null,"rank":null}',
    );
    await expect(steps({}, { schedule: step => 1 / (step + 1) })).rejects.toThrow('was made with another schedule');
    expect((await findCheckpoint(directory))?.identity).toMatchObject({
      data: 'rows 1',
      rank: 2,
      learningRate: 0.02,
      beta1: 0.9,
    });
  });
  it('may change on purpose: with other data the batches begin anew', async () => {
    await firstSteps(2);
    const seen: number[] = [];
    function* others(): Generator<Batch> {
      for (let i = 0; i < 9; i++) {
        seen.push(i);
        yield batchOf(rows[i % rows.length]!);
      }
    }
    const tuned = toyTuned(
      model,
      dropBP({ rate: 0.5, seed: 3 }),
      lora({ targetModules: ['q', 'v'], rank: 2, alpha: 4, dropout: 0.2 }),
    );
    const checkpoints = {
      directory,
      every: 9,
      resume: true,
      identity: { data: 'rows 2', rank: 2 },
      acceptChanges: ['data'],
    };
    const options = { steps: 4, learningRate: 0.02, seed: 5, checkpoints };
    for await (const { step } of train(tuned, others(), options)) expect(step).toBeGreaterThan(2);
    tuned.dispose();
    expect(seen).toEqual([0, 1]);
    expect((await findCheckpoint(directory))?.identity).toMatchObject({ data: 'rows 2' });
  });
});

describe('what is removed', () => {
  it('is no folder in which someone else has put something', async () => {
    await firstSteps(2);
    await writeFile(at(1, 'notes.txt'), 'mine');
    await steps({ keep: 1 });
    expect((await readdir(directory)).sort()).toEqual(['step-000001', 'step-000006']);
    expect(await readFile(at(1, 'notes.txt'), 'utf8')).toBe('mine');
  });
  it('waits for the guard, which can forbid it', async () => {
    await firstSteps(2);
    const before = (await readdir(directory)).sort();
    let calls = 0;
    const guard = (): void => {
      if (++calls > 1) throw new Error('not yours any more');
    };
    await expect(steps({ guard })).rejects.toThrow('not yours any more');
    expect((await readdir(directory)).sort()).toEqual(before);
  });
});
