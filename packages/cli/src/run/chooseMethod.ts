import type { Adapter } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { budgetOf, budgetText } from './chooseDropBP.ts';
import type { TrainFlagValues } from './trainFlags.ts';

/** The adapter that the flags describe. @throws Problem for flags that do not fit together */
export function chooseAdapter(
  flags: Pick<TrainFlagValues, 'adapter' | 'rank' | 'alpha' | 'targets' | 'dropout' | 'rslora' | 'seed'>,
): Adapter {
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

/** How tables and charts call a run that has no name: `'LoRA + DropBP 0.5'`. */
export function nameOfRun(flags: TrainFlagValues): string {
  const method = flags.adapter === 'lora' ? 'LoRA' : 'Full fine-tuning';
  return flags.name ?? (budgetOf(flags).rate === 0 ? method : `${method} + DropBP ${budgetText(flags)}`);
}
