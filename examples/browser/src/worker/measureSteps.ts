import type { Measured, Settings, StepReport } from '../messages.ts';
import type { Base } from './loadBase.ts';
import { startRun } from './trainingRun.ts';

const settings: Omit<Settings, 'steps' | 'dropRate'> = { rank: 16, learningRate: 1e-3, batch: 4 };
const dropRate = 0.75;

/** How long steps take: of a run without drops and of one with them, each without its first step. */
export async function measureSteps({ model, tokenizer }: Base, text: string, steps: number): Promise<Measured> {
  const run = async (dropRate: number): Promise<StepReport[]> => {
    const run = startRun(model, tokenizer, text, { ...settings, dropRate, steps: steps + 1 });
    const done: StepReport[] = [];
    for await (const report of run.steps()) done.push(report);
    run.tuned.dispose();
    return done;
  };
  const without = await run(0);
  const withDrops = await run(dropRate);
  return {
    first: without[0]!.seconds,
    withoutDrops: median(without.slice(1)),
    withDrops: median(withDrops.slice(1)),
    loss: without.at(-1)!.loss,
  };
}

function median(reports: readonly StepReport[]): number {
  const sorted = reports.map(({ seconds }) => seconds).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
