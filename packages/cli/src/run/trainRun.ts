import type { Tuned } from '@dropbp/compose';
import { compose } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { adamW, constant, cosine, evaluateLoss, linear, train, type Schedule, type TrainStep } from '@dropbp/train';
import type { ProgressBar } from '../terminal/progressBar.ts';
import { progressBar } from '../terminal/progressBar.ts';
import { statusLine } from '../terminal/statusLine.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { chooseAdapter, chooseDropBP, nameOfRun } from './chooseMethod.ts';
import { openModel } from './openModel.ts';
import { prepareText } from './prepareText.ts';
import type { BranchRecord, HeldOutRecord, RunRecord, StepRecord } from './runRecord.ts';
import { sampleText } from './sampleText.ts';
import type { TrainFlagValues } from './trainFlags.ts';
import { versions } from './versions.ts';

/** A run that is over, with what it trained. */
export interface FinishedRun {
  readonly record: RunRecord;
  readonly tuned: Tuned;
}

/** Loads, measures, trains and measures again; writes nothing. */
export async function trainRun(flags: TrainFlagValues, backend: string, terminal: Terminal): Promise<FinishedRun> {
  const startedAt = new Date().toISOString();
  const status = statusLine(terminal);
  const { model, tokenizer } = await openModel(flags.model, status);
  const settings = { ...flags, time: flags.time ?? Math.min(128, model.maxPositions) };
  const learningRate = flags.learningRate ?? (flags.adapter === 'lora' ? 1e-3 : 1e-4);
  // Before the text is read: a wrong target shows at once.
  const tuned = compose(model, chooseAdapter(flags), chooseDropBP(flags));

  status.show(`Reading ${flags.data}`);
  const { batch, time, seed, steps, accumulation, heldOut } = settings;
  const text = await prepareText(flags.data, tokenizer, { batch, time, seed, heldOut, batches: steps * accumulation });
  status.show('Measuring before training');
  const heldOutRecords: HeldOutRecord[] = await measure(tuned, text.heldOutBatches, 0);
  const prompt = flags.prompt ?? text.beginning;
  const maxNewTokens = Math.min(flags.sampleTokens, model.maxPositions - tokenizer.encode(prompt).length);
  const write = async (): Promise<string> =>
    maxNewTokens > 0 ? sampleText(tuned, tokenizer, { prompt, maxNewTokens, seed }) : '';
  const before = await write();
  status.clear();

  const bar = progressBar({ terminal, total: steps, label: nameOfRun(flags) });
  const trained = await trainSteps(tuned, text.trainBatches, { ...settings, learningRate, bar }, async step => {
    heldOutRecords.push(...(await measure(tuned, text.heldOutBatches, step)));
  });
  const after = await write();

  const record: RunRecord = {
    format: 1,
    name: nameOfRun(flags),
    startedAt,
    options: { ...settings, learningRate },
    model: {
      source: model.source,
      architecture: model.architecture,
      parameters: [...model.parameters.values()].reduce((sum, weight) => sum + weight.size, 0),
      trainable: tuned.trainableCount,
    },
    data: { source: flags.data, trainTokens: text.trainTokens, heldOutTokens: text.heldOutTokens },
    ...trained,
    heldOut: heldOutRecords,
    branches: branchRecords(tuned),
    sample: maxNewTokens > 0 ? { prompt, before, after } : null,
    backend,
    versions: versions(),
  };
  return { record, tuned };
}

async function measure(tuned: Tuned, batches: Iterable<Batch> | undefined, step: number): Promise<HeldOutRecord[]> {
  return batches === undefined ? [] : [{ step, loss: await evaluateLoss(tuned, batches) }];
}

type StepSettings = TrainFlagValues & { readonly learningRate: number; readonly bar: ProgressBar };

async function trainSteps(
  tuned: Tuned,
  batches: Iterable<Batch>,
  settings: StepSettings,
  evaluate: (step: number) => Promise<void>,
): Promise<Pick<RunRecord, 'steps' | 'trainSeconds' | 'peakMemoryBytes'>> {
  const { bar, steps: total, evaluations, learningRate, accumulation, maxGradientNorm, weightDecay, seed } = settings;
  const isEvaluated = (step: number): boolean =>
    Math.floor((step * evaluations) / total) > Math.floor(((step - 1) * evaluations) / total);
  const steps: StepRecord[] = [];
  const optimizer = adamW({ learningRate, weightDecay });
  const schedule = scheduleOf(settings);
  try {
    const options = { steps: total, optimizer, schedule, accumulation, maxGradientNorm, seed };
    for await (const step of train(tuned, batches, options)) {
      steps.push(toRecord(step));
      bar.update(tuned.dropSchedule === undefined ? { ...step, dropped: undefined } : step);
      if (isEvaluated(step.step)) await evaluate(step.step);
    }
  } finally {
    bar.stop();
    optimizer.dispose();
  }
  return {
    steps,
    trainSeconds: steps.reduce((sum, step) => sum + step.seconds, 0),
    // Node gives kibibytes on every system.
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function toRecord(step: TrainStep): StepRecord {
  const { loss, learningRate, gradientNorm, dropped, tokens, seconds, updated } = step;
  const norm = updated ? gradientNorm : null;
  return { step: step.step, loss, learningRate, gradientNorm: norm, dropped, tokens, seconds };
}

function scheduleOf({ schedule, warmup, steps }: TrainFlagValues): Schedule {
  const options = { warmupSteps: Math.round(warmup * steps) };
  switch (schedule) {
    case 'cosine':
      return cosine(options);
    case 'linear':
      return linear(options);
    case 'constant':
      return constant(options);
  }
}

function branchRecords({ model, dropSchedule }: Tuned): BranchRecord[] {
  return model.branches.map(({ path, kind }, i) => {
    const sensitivity = dropSchedule?.sensitivities?.[i];
    const dropRate = dropSchedule?.rates[i] ?? 0;
    return { path, kind, dropRate, ...(sensitivity !== undefined && { sensitivity }) };
  });
}
