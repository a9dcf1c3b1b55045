import type { Adapter } from '@dropbp/core';
import { dropBP, type DropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import type { TrainFlagValues } from './trainFlags.ts';

/** The adapter that the flags describe. @throws Problem for flags that do not fit together */
export function chooseAdapter(flags: TrainFlagValues): Adapter {
  const { adapter, rank, alpha, targets, dropout, rslora, seed } = flags;
  if (adapter === 'full') return fullFineTune();
  return lora({
    rank,
    ...(alpha !== undefined && { alpha }),
    targetModules: targets.length === 1 && targets[0] === 'all-linear' ? 'all-linear' : targets,
    dropout,
    useRslora: rslora,
    seed,
  });
}

/** DropBP as the flags describe it; undefined at rate 0. */
export function chooseDropBP({ rate, minRate, noCalibration, seed }: TrainFlagValues): DropBP | undefined {
  if (rate === 0) return undefined;
  return dropBP({ rate, seed, ...(minRate > 0 && { minRate }), ...(noCalibration && { calibration: false }) });
}

/** How tables and charts call a run that has no name: `'LoRA + DropBP 0.5'`. */
export function nameOfRun({ name, adapter, rate }: TrainFlagValues): string {
  const method = adapter === 'lora' ? 'LoRA' : 'Full fine-tuning';
  return name ?? (rate === 0 ? method : `${method} + DropBP ${rate}`);
}
