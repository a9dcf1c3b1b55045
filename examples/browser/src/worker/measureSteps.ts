import type { Measured, StepReport } from '../messages.ts';
import type { Base } from './loadBase.ts';
import { startRun } from './trainingRun.ts';

const settings = { rank: 16, learningRate: 1e-3, batch: 4 };
const dropRate = 0.75;

/**
 * How long steps take: of a run without drops and of one with them, each without its first step.
 *
 * @param steps - behind the first, at least two
 */
export async function measureSteps({ model, tokenizer }: Base, text: string, steps: number): Promise<Measured> {
  const run = async (dropRate: number): Promise<[StepReport, ...StepReport[]]> => {
    const { tuned, ...run } = startRun(model, tokenizer, text, { ...settings, dropRate, steps: steps + 1 });
    const done: StepReport[] = [];
    for await (const report of run.steps()) done.push(report);
    tuned.dispose();
    return done as [StepReport, ...StepReport[]];
  };
  const [first, ...withoutDrops] = await run(0);
  const [, ...withDrops] = await run(dropRate);
  return {
    first: first.seconds,
    withoutDrops: withoutDrops.map(({ seconds }) => seconds),
    withDrops: withDrops.map(({ seconds }) => seconds),
    loss: withoutDrops[1]!.loss,
  };
}
