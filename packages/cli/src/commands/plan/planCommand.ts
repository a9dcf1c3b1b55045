import { Problem } from '@dropbp/basics';
import { bytesPerNumber, compose, plannedRate, planStep, type StepShape, type Tuned } from '@dropbp/compose';
import { prepareAdapter, textPositions, weightForm, type Adapter, type Model } from '@dropbp/core';
import { dropBP, type DropBP, type DropSchedule } from '@dropbp/dropbp';
import type { WeightsForm } from '@dropbp/models';
import { checkFolder } from '../../files/kindOfPath.ts';
import { command } from '../../flags/command.ts';
import { checkMethodFlags, chooseAdapter } from '../../method/chooseMethod.ts';
import { checkBatchSize, checkMethodSize } from '../../model/checkSizes.ts';
import { checkTime } from '../../model/checkTime.ts';
import { countParameters } from '../../model/countParameters.ts';
import { openBase } from '../../model/openModel.ts';
import { trainFlags } from '../../flags/tables/trainFlags.ts';
import { startBackend } from '../../model/startBackend.ts';
import { formatBytes, formatLarge, formatSeconds, formatShare } from '../../terminal/formatNumber.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { styled, type Styled } from '../../terminal/paint.ts';
import { styledTable } from '../../terminal/table.ts';
import { formMemory, formsToTrainWith } from '../../forecast/formMemory.ts';
import { shapeWithPrompt } from '../../drops/checkBudget.ts';
import { leastShare } from '../../forecast/leastShare.ts';
import { planFlags, planSections, type PlanFlagValues } from './planFlags.ts';
import { probeSpeed, type Speed } from '../../forecast/probeSpeed.ts';
import { forecastStep, type StepForecast } from '../../forecast/stepForecast.ts';

/** What `dropbp plan --json` prints. */
export interface Plan extends StepShape {
  readonly model: string;
  readonly parameters: number;
  readonly trainable: number;
  readonly backend: string;
  readonly flopsPerSecond?: Speed;
  /** The rate that meets the budget, where one was given. */
  readonly solved?: number;
  /** The same where prompts run forward only. */
  readonly solvedWithoutPrompts?: number;
  readonly steps: readonly StepForecast[];
  /** Rates that were asked for and cannot be dropped with this model and adapter. */
  readonly outOfReach?: readonly OutOfReach[];
  /** What the same takes with weights in each form that can be trained with. */
  readonly forms: readonly FormForecast[];
}

/** A rate that cannot be dropped. */
export interface OutOfReach {
  readonly rate: number;
  readonly why: string;
}

/** Memory with weights in one form. */
export interface FormForecast {
  readonly weights: WeightsForm;
  readonly weightsBytes: number;
  /** Of a step, at each rate of the plan. */
  readonly memoryBytes: readonly number[];
}

/** `dropbp plan`. */
export const planCommand = command({
  name: 'plan',
  summary: 'Shows what a training step would cost at each drop rate: FLOPs, time and memory. Trains nothing.',
  flags: planFlags,
  sections: planSections,
  speaksOf: trainFlags,
  examples: [
    'dropbp plan --model HuggingFaceTB/SmolLM2-135M --batch 1 --time 2048',
    'dropbp plan --model models/austen-base --batch 8 --time 128 --memory 1GiB --json',
  ],
  async run(flags, _positionals, terminal) {
    const backend = await startBackend(flags.backend, terminal);
    const status = statusLine(terminal);
    const method = { ...flags, promptTuningInit: undefined, promptTuningInitText: undefined };
    checkMethodFlags(method);
    await checkFolder(flags.model, 'base');
    const model = await openBase({ source: flags.model, revision: flags.revision }, status, flags);
    checkMethodSize(flags, model);
    const adapter = await prepareAdapter(chooseAdapter(method, { model }), model);
    const { checkpointing } = flags;
    const tuned = compose(model, adapter, undefined, { checkpointing });
    const room = textPositions(tuned.internal);
    const time = flags.time ?? Math.min(128, room);
    const shape = shapeWithPrompt(flags.batch, time, flags.promptShare);
    try {
      checkTime(flags.time, room);
      checkBatchSize(shape, model);
      status.show('Planning');
      const speed = flags.noProbe ? undefined : await probeSpeed(tuned, shape);
      const step = planStep(tuned, shape);
      const steps: StepForecast[] = [];
      const outOfReach: OutOfReach[] = [];
      const solved: number[] = [];
      for (const dropsPrompts of flags.promptShare > 0 ? [false, true] : [false]) {
        const budget = budgetOf(flags, dropsPrompts);
        const run = budget && compose(model, adapter, budget, { checkpointing });
        const rate = run && plannedRate(run, shape);
        if (rate !== undefined) solved.push(rate);
        run?.dispose();
        const rates = [...new Set([...flags.rates, ...(rate === undefined ? [] : [rate])])].sort((a, b) => a - b);
        for (const rate of rates) {
          const schedule = run?.internal.dropSchedule ?? scheduleOf(model, adapter, rate);
          if (schedule instanceof Problem) {
            if (!dropsPrompts) outOfReach.push({ rate, why: schedule.message });
            continue;
          }
          const least = leastShare(schedule, rate, dropsPrompts ? step.answerBytes : step.branchBytes);
          steps.push(forecastStep(step, { rate, least, dropsPrompts }, speed));
        }
      }
      status.clear();
      const plan: Plan = {
        model: model.source,
        parameters: countParameters(model),
        trainable: tuned.trainableCount,
        ...shape,
        backend,
        ...(speed && { flopsPerSecond: speed }),
        ...(solved.length > 0 && { solved: solved[0]! }),
        ...(solved.length > 1 && { solvedWithoutPrompts: solved[1]! }),
        steps,
        ...(outOfReach.length > 0 && { outOfReach }),
        forms: forecastForms(
          tuned,
          steps.map(({ memoryBytes }) => memoryBytes),
        ),
      };
      terminal.out(flags.json ? `${JSON.stringify(plan, undefined, 2)}\n` : show(plan));
    } finally {
      tuned.dispose();
      model.dispose();
    }
  },
});

/** @param memoryBytes - of a step as the model is now, at each rate */
function forecastForms({ model, parameters }: Tuned, memoryBytes: readonly number[]): FormForecast[] {
  const bytes = formMemory(model);
  const now = [...model.parameters.values()].reduce((sum, weight) => sum + weight.size * bytesPerNumber[weightForm(weight)], 0); // prettier-ignore
  return formsToTrainWith(model, parameters).map(weights => ({
    weights,
    weightsBytes: bytes[weights],
    memoryBytes: memoryBytes.map(atRate => Math.round(atRate - now + bytes[weights])),
  }));
}

/** The drops of a run at a rate, or why there are none: how they are drawn follows from what is trained. */
function scheduleOf(model: Model, adapter: Adapter, rate: number): DropSchedule | Problem | undefined {
  if (rate === 0) return undefined;
  try {
    const run = compose(model, adapter, dropBP({ rate }));
    run.dispose();
    return run.internal.dropSchedule;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** The budget that the flags give, if they do. */
function budgetOf({ timeSaved, memory }: PlanFlagValues, dropPrompts: boolean): DropBP | undefined {
  if (timeSaved === undefined && memory === undefined) return undefined;
  return dropBP({
    ...(timeSaved !== undefined && { timeSaved }),
    ...(memory !== undefined && { memory }),
    dropPrompts,
  });
}

function show(plan: Plan): Styled {
  const { parameters, trainable, batch, time, prompt = 0, steps, outOfReach = [], flopsPerSecond } = plan;
  const hasPrompts = steps.some(({ dropsPrompts }) => dropsPrompts);
  const isTimed = flopsPerSecond !== undefined;
  const lines = styledTable({
    header: [
      'drop rate',
      ...(hasPrompts ? ['prompts'] : []),
      'GFLOPs a step',
      ...(isTimed ? ['time a step', 'time saved'] : ['FLOPs saved']),
      'memory',
    ],
    rows: steps.map(({ rate, dropsPrompts, flops, seconds, saved, memoryBytes }) => [
      `${Number(rate.toFixed(3))}${rate === (dropsPrompts ? plan.solvedWithoutPrompts : plan.solved) ? ' ←' : ''}`,
      ...(hasPrompts ? [dropsPrompts ? 'dropped' : 'kept'] : []),
      gigas(flops),
      ...(seconds === undefined ? [] : [formatSeconds(seconds)]),
      formatShare(saved),
      formatBytes(memoryBytes),
    ]),
  });
  const about = `${formatLarge(trainable)} of ${formatLarge(parameters)} parameters trained, ${batch} × ${time} tokens a step${prompt === 0 ? '' : `, ${prompt} of each ${time} a prompt`}`;
  const speed = isTimed
    ? `\nTimes at ${gigas(flopsPerSecond.forward)} GFLOPS forward and ${gigas(flopsPerSecond.backward)} backward, as probed here, without the optimiser's update`
    : '';
  const others = outOfReach.map(({ rate, why }) => styled`\nA rate of ${rate} is out of reach: ${why}`);
  const memory = "\nMemory is an estimate of the process's in its largest step\n";
  return [about, '\n\n', lines, others, speed, memory, showForms(plan)];
}

/** Memory with other forms of the weights; nothing where there is no choice. */
function showForms({ steps, forms }: Plan): Styled {
  if (forms.length < 2) return '';
  const lines = styledTable({
    header: ['memory with --weights', ...forms.map(({ weights }) => weights)],
    rows: [
      ['of the weights', ...forms.map(({ weightsBytes }) => formatBytes(weightsBytes))],
      ...steps.map(({ rate, dropsPrompts }, i) => [
        `of a step at ${Number(rate.toFixed(3))}${dropsPrompts ? ', prompts dropped' : ''}`,
        ...forms.map(({ memoryBytes }) => formatBytes(memoryBytes[i]!)),
      ]),
    ],
  });
  return ['\n', lines];
}

function gigas(value: number): string {
  return Number((value / 1e9).toPrecision(3)).toString();
}
