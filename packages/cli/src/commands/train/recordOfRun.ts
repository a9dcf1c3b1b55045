import { leadsToTrainable } from '@dropbp/core';
import type { RunEvent } from '../../record/runEvent.ts';
import type { PreparedRun } from './preparedRun.ts';
import type { BranchRecord, RunRecord } from '../../record/runRecord.ts';
import { countParameters } from '../../model/countParameters.ts';
import { dropsOf } from '../../drops/dropsOf.ts';
import { isOfMethod, nameOfRun } from '../../method/chooseMethod.ts';
import { versions } from '../../record/versions.ts';

/** A run as its report shows it, at any moment. */
export function recordOfRun(
  { settings, tuned, costs, dataset, data, prompt, sampleTokens }: PreparedRun,
  events: readonly RunEvent[],
  rest: Pick<RunRecord, 'startedAt' | 'ended' | 'backend' | 'changes'>,
): RunRecord {
  const steps = recordsOf(events, 'step');
  const { model } = tuned;
  const drops = dropsOf(tuned);
  return {
    format: 2,
    name: nameOfRun(settings),
    ...rest,
    options: Object.fromEntries(Object.entries(settings).filter(([key]) => isOfMethod(key, settings.adapter))),
    model: {
      source: model.source,
      architecture: model.architecture,
      parameters: countParameters(model),
      trainable: tuned.trainableCount,
    },
    data: {
      source: dataset.name,
      explanation: dataset.explanation,
      format: dataset.format.name,
      rows: data.counts.trainRows ?? null,
      heldOutRows: data.counts.heldOutRows ?? (data.heldOut ? null : 0),
      trainTokens: data.counts.trainTokens,
      heldOutTokens: data.counts.heldOutTokens,
    },
    steps,
    heldOut: recordsOf(events, 'heldOut'),
    ...(drops && { drops }),
    costs,
    length: { epochs: data.counts.epochs, why: data.counts.why },
    branches: branchRecords(tuned),
    trainSeconds: steps.reduce((sum, step) => sum + step.seconds, 0),
    // Node gives kibibytes on every system.
    peakMemoryBytes: steps.reduce(
      (most, step) => Math.max(most, step.memoryBytes),
      process.resourceUsage().maxRSS * 1024,
    ),
    samples: sampleTokens > 0 ? { prompt, texts: recordsOf(events, 'sample') } : null,
    versions: versions(),
  };
}

type RecordOf<T extends RunEvent['type']> = Omit<Extract<RunEvent, { type: T }>, 'type'>;

/** The events of a type, without it. */
function recordsOf<T extends RunEvent['type']>(events: readonly RunEvent[], type: T): RecordOf<T>[] {
  const records: unknown[] = events
    .filter(event => event.type === type)
    .map(event => {
      const record: Record<string, unknown> = { ...event };
      delete record.type;
      return record;
    });
  return records as RecordOf<T>[];
}

function branchRecords(tuned: PreparedRun['tuned']): BranchRecord[] {
  const { model, dropSchedule } = tuned.internal;
  const leads = dropSchedule && leadsToTrainable(tuned.internal);
  return model.branches.map(({ path, kind }, i) => {
    const sensitivity = dropSchedule?.sensitivities?.[i];
    const dropRate = dropSchedule?.rates[i] ?? 0;
    return {
      ...{ path, kind, dropRate },
      ...(sensitivity !== undefined && { sensitivity }),
      ...(leads?.[i] === false && { leads: false as const }),
    };
  });
}
