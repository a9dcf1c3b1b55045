import * as tf from '@tensorflow/tfjs';
import {
  checkNumber,
  checkOptions,
  checkValue,
  notFinite,
  problem,
  ranges,
  seededRandom,
  type SeededRandom,
} from '@dropbp/basics';
import {
  attachedRunnable,
  forwardLogits,
  prepareAdapter,
  withTensors,
  type Adapter,
  type Attachment,
  type Model,
  type ObjectiveBatch,
} from '@dropbp/core';
import type { DropBP, DropSchedule } from '@dropbp/dropbp';
import { checkParts } from './checkParts.ts';
import { beginRun, type DropParts } from './drops/beginRun.ts';
import { comparePrompts } from './drops/prompts/comparePrompts.ts';
import { promptGate } from './drops/prompts/promptGate.ts';
import { startDropping, type Drops } from './drops/startDropping.ts';
import { gradientPass, lossPass } from './pass/gradientPass.ts';
import { manyAdapters } from './many/manyAdapters.ts';
import { chooseObjective } from './pass/chooseObjective.ts';
import { checkDivides, checkShares, dividesTexts, planPass, type ReadyPass } from './pass/planPass.ts';
import { mergeInto, mergeSafely } from './files/mergeInto.ts';
import { readyBatch } from './pass/readyBatch.ts';
import { countDropFlops } from './plan/dropFlops.ts';
import type { StepShape } from './plan/branchFlops.ts';
import { promptTokens } from './plan/promptTokens.ts';
import { encodeTuned, forTask, saveTuned } from './files/saveTuned.ts';
import { measureSensitivities } from './sensitivity/measureSensitivities.ts';
import { meanOverSamples } from './sensitivity/meanOverSamples.ts';
import { checkpointedBranches, optionNames, type ComposeOptions, type Composition } from './composeOptions.ts';
import type { BatchShare, CalibrateOptions, StepOptions, Tuned, TunedAdapter, ValueAndGradients } from './tuned.ts';

/** The step whose dropout masks calibration uses: none of training's. */
const CALIBRATION_STEP = -1;
/** Tells the dropout masks of a step from its drops where both have the same seed. */
const MASKS = 1;

/**
 * Binds an adapter to a model, and DropBP to both. The model stays as it is and can be composed again; it must outlive the
 * result.
 *
 * @param parts - the adapter, DropBP if steps are to drop backward passes, and options
 * @throws Problem if the adapter does not fit the model, or DropBP cannot reach its budget
 *
 * @example
 * ```ts
 * const tuned = compose(model, { adapter: lora({ targetModules: 'all-linear' }), drop: dropBP({ rate: 0.5 }) });
 * ```
 */
export function compose(model: Model, parts: Composition): Tuned;
/**
 * The same with the adapter and DropBP as parameters of their own.
 *
 * @param dropBP - @defaultValue no backward pass is dropped
 */
export function compose(model: Model, adapter: Adapter, dropBP?: DropBP, options?: ComposeOptions): Tuned;
export function compose(
  model: Model,
  given: Composition | Adapter,
  dropBP?: DropBP,
  options: ComposeOptions = {},
): Tuned {
  if (!isComposition(given)) return bindAll(model, given, dropBP, options);
  checkOptions('compose', 'compose()', given, ['adapter', 'drop', ...optionNames]);
  const { adapter, drop, ...others } = given;
  return bindAll(model, adapter, drop, others);
}

/**
 * {@link compose} for an adapter that must read the model's weights first: PiSSA, OLoRA, or an adapter of PEFT that was
 * saved with such a start. It works with every other adapter too.
 *
 * @throws Problem as {@link compose}, and if the adapter cannot be prepared for this model
 *
 * @example
 * ```ts
 * const tuned = await composeAsync(model, { adapter: lora({ targetModules: ['q_proj'], initialization: 'pissa' }) });
 * ```
 */
export async function composeAsync(model: Model, parts: Composition): Promise<Tuned> {
  const { adapter, drop } = (parts as Partial<Composition> | undefined) ?? {};
  checkParts(model, adapter, drop);
  return compose(model, { ...parts, adapter: await prepareAdapter(parts.adapter, model) });
}

/** Whether the parts were given together. Anything else is checked as an adapter. */
function isComposition(given: unknown): given is Composition {
  return typeof given === 'object' && given !== null && 'adapter' in given && !('attach' in given);
}

function bindAll(model: Model, adapter: Adapter, dropBP: DropBP | undefined, options: ComposeOptions): Tuned {
  checkParts(model, adapter, dropBP);
  checkOptions('compose', 'compose()', options, optionNames);
  return manyAdapters(model, adapter, options, one => bind(model, one, dropBP, options));
}

/** One adapter and DropBP, bound to a model. */
function bind(model: Model, adapter: Adapter, dropBP: DropBP | undefined, options: ComposeOptions): TunedAdapter {
  const { sharedPrompts = true } = options;
  const objective = chooseObjective(options);
  checkValue<unknown>('compose', 'sharedPrompts', sharedPrompts, v => typeof v === 'boolean', 'true or false');
  if (options.sharedPrompts === true && options.objective !== undefined) checkShares(objective);
  const attachment = adapter.attach(model);
  const { parameters } = attachment;
  if (parameters.size === 0) {
    attachment.dispose();
    throw problem('compose', { what: `'${adapter.name}' has nothing to train in this model` });
  }
  const runnable = { ...attachedRunnable(model, attachment), isCheckpointed: checkpointedBranches(model, options) };
  if (dropBP?.options.dropPrompts === true && options.objective !== undefined) {
    disposeOnError(attachment, () => checkDivides(runnable, objective));
  }
  const dropping =
    dropBP && disposeOnError(attachment, () => startDropping(dropBP, { internal: runnable, parameters }));
  const gate = dropBP?.options.dropPrompts === 'auto' ? promptGate() : undefined;
  const dropsPrompts = (): boolean => gate?.dropsPrompts ?? dropBP?.options.dropPrompts === true;
  const flopsOf = countDropFlops(runnable);
  // Without an objective of its own, an adapter of PEFT keeps the task that it came with.
  const saved = options.objective === undefined ? attachment : forTask(attachment, objective.taskType);
  const inTurn = makeQueue();
  let calls = 0;

  const dropsOf = ({ step, dropped, training, share }: Plan, shape: StepShape): Drops => {
    if (dropped !== undefined) return { dropped };
    const drawn = training ? dropping?.drops(step, shape, share) : undefined;
    return drawn ?? { dropped: model.branches.map(() => false) };
  };
  const step = async (batch: ObjectiveBatch, options: Plan): Promise<ValueAndGradients> => {
    const dropPrompts = options.dropPrompts ?? (options.training && dropsPrompts());
    if (dropPrompts) checkDivides(runnable, objective);
    const divide = { dropPrompts, sharedPrompts: sharedPrompts && dividesTexts(runnable, objective) };
    const readsTokens = dropPrompts || divide.sharedPrompts;
    const ready = await readyBatch(runnable, batch, { objective, readsTokens });
    const { shape, rows, weight, tokens } = ready;
    const prompt = dropPrompts ? (options.share ? (options.share.prompt ?? 0) : promptTokens(rows!)) : 0;
    const drops = dropsOf(options, { ...shape, prompt });
    const masks = options.training ? stepTensors(attachment, shape, options) : new Map<string, tf.Tensor>();
    let plan: ReadyPass | undefined;
    try {
      plan = planPass(runnable, ready, masks, divide);
      const pass = gradientPass(plan, parameters, drops, options.onGradient);
      const { dropped } = drops;
      return { ...pass, weight, tokens, dropped, ...flopsOf(shape, dropped, plan.division) };
    } finally {
      plan?.dispose();
      tf.dispose([...masks.values()]);
    }
  };

  const calibrate = (batch: ObjectiveBatch, options: CalibrateOptions = {}): Promise<readonly number[]> =>
    inTurn(async () => {
      checkOptions('compose', 'calibrate()', options, ['samples', 'peers']);
      const { samples = samplesOf(dropping?.schedule), peers } = options;
      checkNumber('compose', 'samples', samples, ranges.count);
      const sensitivities = await meanOverSamples(
        batch,
        { samples, peers, length: model.branches.length, objective, runnable },
        async sample => {
          const masks = stepTensors(attachment, shapeOf(sample), { seed: 0, step: CALIBRATION_STEP });
          try {
            const ready = await readyBatch(runnable, sample, { objective });
            return await measureSensitivities(withTensors(runnable, masks), parameters, ready);
          } finally {
            tf.dispose([...masks.values()]);
          }
        },
      );
      if (!sensitivities.every(Number.isFinite)) {
        throw notFinite('compose', {
          what: 'gradients are not finite: no sensitivities can be measured on them',
          fix: 'train with a lower learning rate or a longer warm-up',
        });
      }
      if (dropping?.schedule.calibrates === true) dropping.schedule.calibrate(sensitivities);
      return sensitivities;
    });

  const compare: DropParts['compare'] = (batch, options) =>
    inTurn(async () => {
      if (!dividesTexts(runnable, objective)) return undefined;
      const passOf = (sample: ObjectiveBatch, dropPrompts: boolean): Promise<ValueAndGradients> => {
        const dropped = model.branches.map(() => false);
        const nothing = { share: undefined, onGradient: undefined };
        return step(sample, { step: CALIBRATION_STEP, dropped, dropPrompts, training: true, seed: 0, ...nothing });
      };
      return comparePrompts(runnable, batch, { ...options, objective, parameters, passOf });
    });

  return {
    model,
    adapter,
    parameters,
    trainableCount: [...parameters.values()].reduce((sum, { size }) => sum + size, 0),
    forward: (tokens, options) => forwardLogits(runnable, tokens, options),
    loss: async batch => lossPass(runnable, await readyBatch(runnable, batch, { objective })),
    async valueAndGradients(batch, options = {}) {
      checkOptions('compose', 'valueAndGradients()', options, [
        ...['step', 'dropped', 'dropPrompts', 'training', 'seed', 'share', 'onGradient'],
      ]);
      const { training = true, seed = 0, share, onGradient } = options;
      const number = options.step ?? calls++;
      const { dropped, dropPrompts } = options;
      if (dropped !== undefined) checkDropped(dropped, model);
      return inTurn(() => step(batch, { step: number, dropped, dropPrompts, training, seed, share, onGradient }));
    },
    calibrate,
    beginRun: options => beginRun({ schedule: dropping?.schedule, gate, calibrate, compare }, options),
    save: directory => saveTuned(directory, model, adapter, saved),
    toFiles: () => encodeTuned(adapter, saved),
    merge: () => mergeInto(model, adapter, attachment),
    safeMerge: () => mergeSafely(model, adapter, attachment),
    dispose: () => attachment.dispose(),
    internal: { ...runnable, dropSchedule: dropping?.schedule, objective },
  };
}

/** The options of a step with their defaults. */
type Plan = Required<Omit<StepOptions, Open>> & { readonly [K in Open]: StepOptions[K] | undefined };
type Open = 'onGradient' | 'dropped' | 'dropPrompts' | 'share';

function disposeOnError<T>(attachment: Attachment, run: () => T): T {
  try {
    return run();
  } catch (error) {
    attachment.dispose();
    throw error;
  }
}

function stepTensors(
  attachment: Attachment,
  { batch, time }: { readonly batch: number; readonly time: number },
  { seed, step, share }: Pick<Plan, 'seed' | 'step'> & { readonly share?: BatchShare | undefined },
): ReadonlyMap<string, tf.Tensor> {
  const ofRow = (row: number): SeededRandom => seededRandom(seed, step, MASKS, share?.rows[row] ?? row);
  const made = attachment.stepTensors?.({ batch, time }, seededRandom(seed, step, MASKS), ofRow);
  return made ?? new Map<string, tf.Tensor>();
}

function shapeOf({ inputIds }: ObjectiveBatch): { batch: number; time: number } {
  const [batch, time] = inputIds.shape as [number, number];
  return { batch, time };
}

function samplesOf(schedule: DropSchedule | undefined): number {
  const calibration = schedule?.options.calibration;
  return (calibration === undefined || calibration === false ? undefined : calibration.samples) ?? 1;
}

function checkDropped(dropped: readonly boolean[], { branches }: Model): void {
  if (
    Array.isArray(dropped) &&
    dropped.length === branches.length &&
    dropped.every(value => typeof value === 'boolean')
  )
    return;
  throw problem('compose', {
    what: 'dropped is not usable',
    got: dropped,
    expected: `${branches.length} times true or false, one for each branch`,
  });
}

/** Runs asynchronous jobs one after the other, in the order in which they were handed in. */
export function makeQueue(): <T>(job: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return job => {
    const result = last.then(job);
    last = result.catch(() => undefined); // whoever handed it in hears of its failure
    return result;
  };
}
