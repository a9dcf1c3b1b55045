import type { Case, CommonPlan } from './experiments.ts';
import type { MethodName, TaskName } from './runPlan.ts';

/** Tasks whose prompts may run forward only, in the order in which they are run. */
export const promptTasks = ['bible', 'records', 'backwards', 'half', 'chats'] as const satisfies readonly TaskName[];
/** Models by the name that results have. */
export const promptModels = { base: 'models/austen-base', smollm2: 'test/.models/smollm2-135m' } as const;
export type PromptTask = (typeof promptTasks)[number];
export type PromptModel = keyof typeof promptModels;

/** As many steps as the time of the whole run allows where answers-only steps take 0.625 of it. */
const [FEWER, MORE] = [0.625, 1.6];
const dropped = { rate: 0, dropPrompts: true } as const;

const short: readonly Case[] = [
  { name: 'no drop' },
  { name: `no drop × ${FEWER} steps`, stepsShare: FEWER },
  { name: 'answers only', dropBP: dropped },
  {
    name: `answers only × ${MORE.toFixed(2)} steps`,
    dropBP: dropped,
    stepsShare: MORE,
    learningRateOf: 'answers only',
  },
  { name: 'auto', dropBP: { rate: 0, dropPrompts: 'auto' } },
];

const long: readonly Case[] = [
  ...short,
  { name: 'no drop × 0.8 steps', stepsShare: 0.8 },
  { name: 'every fourth step whole', dropBP: dropped, wholeEvery: 4 },
  { name: 'depth 0.5', dropBP: { rate: 0.5 } },
  { name: 'depth 0.75', dropBP: { rate: 0.75 } },
  { name: 'int8', weights: 'int8' },
  { name: 'int8, answers only', weights: 'int8', dropBP: dropped },
  { name: 'answers only, depth 0.5', dropBP: { rate: 0.5, dropPrompts: true } },
];

/** The cases of a task: all of them where an adapter learns a text or records on the real model, the main ones elsewhere. */
export function promptCases(task: PromptTask, model: PromptModel, method: MethodName, layers: number): readonly Case[] {
  if (model !== 'smollm2' || method !== 'lora' || (task !== 'bible' && task !== 'records')) return short;
  const upper = Array.from({ length: layers / 2 }, (_, i) => layers / 2 + i);
  return [...long, { name: 'upper 50 % of the layers', layers: upper }];
}

/** Learning rates that are tried on the first seed. */
export function promptLearningRates(model: PromptModel, method: MethodName): readonly number[] {
  if (model === 'smollm2') return method === 'lora' ? [1e-3, 2e-3] : [5e-5, 1e-4, 2e-4];
  return method === 'lora' ? [5e-3, 1e-2] : [1.5e-3, 3e-3];
}

/** Five where answers are right or wrong, three elsewhere. */
export function promptSeeds(task: PromptTask): readonly number[] {
  return task === 'records' ? [1, 2, 3, 4, 5] : [1, 2, 3];
}

/** What all runs of a task have in common. */
export function promptPlan(task: PromptTask, model: PromptModel, method: MethodName): CommonPlan {
  return {
    ...{ task, model: promptModels[model], method, data: 'examples/data/kjv.txt.gz', rank: 8 },
    ...{ steps: model === 'smollm2' && method === 'full' ? 60 : 120, batch: 2, accumulation: 1 },
    // Generated rows are as long as they are, up to this.
    ...{ time: task === 'bible' || task === 'half' ? 256 : 512, evaluations: 4, heldOutRows: 64 },
  };
}
