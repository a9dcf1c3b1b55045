import { compose, planStep, solveBudget } from '@dropbp/compose';
import { problem } from '@dropbp/basics';
import type { BatchShape, Model } from '@dropbp/core';
import { dropBP, type DropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { command } from '../flags/command.ts';
import { chooseAdapter } from '../run/chooseMethod.ts';
import { startBackend } from '../run/startBackend.ts';
import { formatBytes, formatLarge, formatSeconds, formatShare } from '../terminal/formatNumber.ts';
import { statusLine } from '../terminal/statusLine.ts';
import { table } from '../terminal/table.ts';
import { planFlags, planSections, type PlanFlagValues } from './planFlags.ts';
import { probeSpeed, type Speed } from './probeSpeed.ts';
import { forecastStep, type StepForecast } from './stepForecast.ts';

/** What `dropbp plan --json` prints. */
export interface Plan extends BatchShape {
  readonly model: string;
  readonly parameters: number;
  readonly trainable: number;
  readonly backend: string;
  readonly flopsPerSecond?: Speed;
  /** The rate that meets the budget, where one was given. */
  readonly solved?: number;
  readonly steps: readonly StepForecast[];
}

/** `dropbp plan`. */
export const planCommand = command({
  name: 'plan',
  summary: 'Shows what a training step would cost at each drop rate: FLOPs, time and memory. Trains nothing.',
  flags: planFlags,
  sections: planSections,
  examples: [
    'dropbp plan --model HuggingFaceTB/SmolLM2-135M --batch 1 --time 2048',
    'dropbp plan --model models/austen-base --batch 8 --time 128 --memory 1GiB --json',
  ],
  async run(flags, _positionals, terminal) {
    const backend = await startBackend(flags.backend, terminal);
    const status = statusLine(terminal);
    const model = await loadModel(flags.model, {
      onTensor: (done, total) => status.show(`Loading ${flags.model}`, `${done} of ${total} tensors`),
    });
    const shape = { batch: flags.batch, time: flags.time ?? Math.min(128, model.maxPositions) };
    checkTime(shape.time, model);
    const policy = policyOf(flags);
    const tuned = compose(model, chooseAdapter(flags), policy);
    try {
      status.show('Planning');
      const speed = flags.noProbe ? undefined : await probeSpeed(tuned, shape);
      const step = planStep(tuned, shape);
      const largest = (costs: readonly number[]): number => tuned.dropSchedule!.largestRate(costs);
      const solved = policy && solveBudget(policy.options, step, largest).rate;
      status.clear();
      const rates = [...new Set([...flags.rates, ...(solved === undefined ? [] : [solved])])].sort((a, b) => a - b);
      const plan: Plan = {
        model: model.source,
        parameters: [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0),
        trainable: tuned.trainableCount,
        ...shape,
        backend,
        ...(speed && { flopsPerSecond: speed }),
        ...(solved !== undefined && { solved }),
        steps: rates.map(rate => forecastStep(step, rate, speed)),
      };
      terminal.out(flags.json ? `${JSON.stringify(plan, undefined, 2)}\n` : show(plan, terminal.outHasColor));
    } finally {
      tuned.dispose();
      model.dispose();
    }
  },
});

/** The budget that the flags give, if they do. */
function policyOf({ timeSaved, memory }: PlanFlagValues): DropBP | undefined {
  if (timeSaved === undefined && memory === undefined) return undefined;
  return dropBP({ ...(timeSaved !== undefined && { timeSaved }), ...(memory !== undefined && { memory }) });
}

function checkTime(time: number, { maxPositions }: Model): void {
  if (time <= maxPositions) return;
  const expected = `at most ${maxPositions}`;
  throw problem('cli', { what: '--time is longer than the model has positions for', got: time, expected });
}

function show({ parameters, trainable, batch, time, solved, steps, flopsPerSecond }: Plan, hasColor: boolean): string {
  const isTimed = flopsPerSecond !== undefined;
  const lines = table({
    header: ['drop rate', 'GFLOPs a step', ...(isTimed ? ['time a step', 'time saved'] : ['FLOPs saved']), 'memory'],
    rows: steps.map(({ rate, flops, seconds, saved, memoryBytes }) => [
      `${Number(rate.toFixed(3))}${rate === solved ? ' ←' : ''}`,
      gigas(flops),
      ...(seconds === undefined ? [] : [formatSeconds(seconds)]),
      formatShare(saved),
      formatBytes(memoryBytes),
    ]),
    hasColor,
  });
  const about = `${formatLarge(trainable)} of ${formatLarge(parameters)} parameters trained, ${batch} × ${time} tokens a step`;
  const speed = isTimed
    ? `\nTimes at ${gigas(flopsPerSecond.forward)} GFLOPS forward and ${gigas(flopsPerSecond.backward)} backward, as probed here, without the optimiser's update`
    : '';
  return `${about}\n\n${lines}${speed}\nMemory is an estimate of the process's\n`;
}

function gigas(value: number): string {
  return Number((value / 1e9).toPrecision(3)).toString();
}
