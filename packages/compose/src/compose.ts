import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem, seededRandom } from '@dropbp/basics';
import {
  attachedRunnable,
  forwardLogits,
  withTensors,
  type Adapter,
  type Attachment,
  type Batch,
  type Model,
} from '@dropbp/core';
import type { DropBP } from '@dropbp/dropbp';
import { firstSample } from './firstSample.ts';
import { gradientPass, lossPass } from './gradientPass.ts';
import { measureSensitivities } from './sensitivity/measureSensitivities.ts';
import { mergeInto } from './mergeInto.ts';
import { readyBatch } from './readyBatch.ts';
import { saveTuned } from './saveTuned.ts';
import { serialized } from './serialized.ts';
import { checkpointedBranches, type ComposeOptions } from './composeOptions.ts';
import type { StepOptions, Tuned, ValueAndGradients } from './tuned.ts';

/** Sequences of this many tokens, as in the authors' code, set the branches' FLOPs against each other. */
const USUAL_TIME = 512;
/** The step whose dropout masks calibration uses: none of training's. */
const CALIBRATION_STEP = -1;
/** Tells the dropout masks of a step from its drops where both have the same seed. */
const MASKS = 1;

/**
 * Binds an adapter to a model, and DropBP to both: the only place where the three meet. The model stays as it is and
 * can be composed again; it must outlive the result.
 *
 * @param dropBP - which branches skip their backward pass. @defaultValue none do
 * @param options - how the passes run
 * @throws Problem where the adapter does not fit the model, or DropBP's budget cannot be reached
 *
 * @example
 * ```ts
 * const tuned = compose(model, lora({ targetModules: ['q_proj', 'v_proj'] }), dropBP({ rate: 0.5 }));
 * ```
 */
export function compose(model: Model, adapter: Adapter, dropBP?: DropBP, options: ComposeOptions = {}): Tuned {
  checkOptions('compose', 'compose()', options, ['checkpointing', 'loss']);
  const { loss } = options;
  const dropSchedule = dropBP?.start(model.branches.map(branch => ({ flops: branch.flops(usualShape(model)) })));
  const attachment = adapter.attach(model);
  const { parameters } = attachment;
  if (parameters.size === 0) {
    attachment.dispose();
    throw problem('compose', { what: `'${adapter.name}' has nothing to train in this model` });
  }
  const runnable = { ...attachedRunnable(model, attachment), isCheckpointed: checkpointedBranches(model, options) };
  const inTurn = serialized();
  let calls = 0;

  const drawn = (step: number): readonly boolean[] => dropSchedule?.draw(step) ?? model.branches.map(() => false);
  const step = async (batch: Batch, options: Plan): Promise<ValueAndGradients> => {
    const ready = await readyBatch(model, batch, loss);
    const masks = options.training ? stepTensors(attachment, ready.rows, options) : new Map<string, tf.Tensor>();
    try {
      const { dropped, onGradient } = options;
      const pass = gradientPass(withTensors(runnable, masks), parameters, ready, dropped, onGradient);
      return { ...pass, tokens: ready.rows.labels.length, dropped };
    } finally {
      tf.dispose([...masks.values()]);
    }
  };

  return {
    ...runnable,
    adapter,
    parameters,
    dropSchedule,
    trainableCount: [...parameters.values()].reduce((sum, { size }) => sum + size, 0),
    forward: (tokens, options) => forwardLogits(runnable, tokens, options),
    async loss(batch) {
      const ready = await readyBatch(model, batch, loss);
      return { value: lossPass(runnable, ready), tokens: ready.rows.labels.length };
    },
    async valueAndGradients(batch, options = {}) {
      checkOptions('compose', 'valueAndGradients()', options, ['step', 'dropped', 'training', 'seed', 'onGradient']);
      const { training = true, seed = 0, onGradient } = options;
      const number = options.step ?? calls++;
      const dropped = options.dropped ?? (training ? drawn(number) : model.branches.map(() => false));
      checkDropped(dropped, model);
      return inTurn(() => step(batch, { step: number, dropped, training, seed, onGradient }));
    },
    calibrate: batch =>
      inTurn(async () => {
        const sample = await firstSample(batch);
        const masks = stepTensors(attachment, shapeOf(sample), { seed: 0, step: CALIBRATION_STEP });
        try {
          const ready = await readyBatch(model, sample, loss);
          const sensitivities = await measureSensitivities(withTensors(runnable, masks), parameters, ready);
          if (allocates(dropBP)) dropSchedule?.calibrate(sensitivities);
          return sensitivities;
        } finally {
          tf.dispose([sample.inputIds, sample.labels, ...masks.values()]);
          sample.attentionMask?.dispose();
        }
      }),
    save: directory => saveTuned(directory, model, adapter, attachment),
    merge: () => mergeInto(model, adapter, attachment),
    dispose: () => attachment.dispose(),
  };
}

/** The options of a step with their defaults. */
type Plan = Required<Omit<StepOptions, 'onGradient'>> & { readonly onGradient: StepOptions['onGradient'] | undefined };

function usualShape({ maxPositions }: Model): { batch: number; time: number } {
  return { batch: 1, time: Math.min(USUAL_TIME, maxPositions) };
}

function stepTensors(
  attachment: Attachment,
  { batch, time }: { readonly batch: number; readonly time: number },
  { seed, step }: { readonly seed: number; readonly step: number },
): ReadonlyMap<string, tf.Tensor> {
  return attachment.stepTensors?.({ batch, time }, seededRandom(seed, step, MASKS)) ?? new Map<string, tf.Tensor>();
}

function shapeOf({ inputIds }: Batch): { batch: number; time: number } {
  const [batch, time] = inputIds.shape as [number, number];
  return { batch, time };
}

function allocates(dropBP: DropBP | undefined): boolean {
  return dropBP !== undefined && dropBP.options.calibration !== false && dropBP.options.rate > 0;
}

function checkDropped(dropped: readonly boolean[], { branches }: Model): void {
  if (dropped.length === branches.length && dropped.every(value => typeof value === 'boolean')) return;
  throw problem('compose', {
    what: 'dropped is not usable',
    got: dropped,
    expected: `${branches.length} times true or false, one for each branch`,
  });
}
