import { methods } from './adapters.ts';
import type { MethodName, RunPlan } from './runPlan.ts';

/** What all runs of an experiment have in common. */
export type CommonPlan = Omit<
  RunPlan,
  'name' | 'learningRate' | 'seed' | 'dropBP' | 'layers' | 'weights' | 'wholeEvery'
>;

/** A case of an experiment: what sets it apart. Steps are a share of the common ones. */
export interface Case extends Pick<RunPlan, 'dropBP' | 'layers' | 'weights' | 'wholeEvery'> {
  readonly name: string;
  readonly method?: MethodName;
  readonly stepsShare?: number;
  /** The learning rates of its search. @defaultValue those of the command */
  readonly learningRates?: readonly number[];
  /** The case whose best learning rate it takes. @defaultValue it has a search of its own */
  readonly learningRateOf?: string;
}

/** Methods that train few numbers, whose best learning rate lies above that of the others. */
const highLearningRates: Partial<Record<MethodName, readonly number[]>> = {
  ia3: [0.03, 0.1, 0.3, 1],
  'prefix tuning': [0.03, 0.1, 0.3, 1],
  'prompt tuning': [0.01, 0.03, 0.1, 0.3],
  'LLaMA-Adapter': [0.01, 0.03, 0.1, 0.3],
  norms: [0.01, 0.03, 0.1, 0.3],
};

type Drop = NonNullable<RunPlan['dropBP']>;
const RATES = [0.5, 0.75, 0.875];

/** The best configuration that is not the authors': exact budget, even draws. */
const ours: Omit<Drop, 'rate'> = { allocation: 'minimax', sampling: 'pivotal' };
/** The authors' algorithm. */
const reference: Omit<Drop, 'rate'> = { allocation: 'reference' };
/** Equal rates, without sensitivities. */
const uniform: Omit<Drop, 'rate'> = { ...reference, calibration: false, sampling: 'pivotal' };
/** Drops from below alone: every gradient is exact. */
const depth: Omit<Drop, 'rate'> = { allocation: 'depth' };
/** Rates from 0.1 to 0.9. */
const late = { rate: 0.9, schedule: { ramp: 1, from: 0.1 } };
const noDrop: Case = { name: 'no drop' };
/** The strongest simple alternative. */
const fewerSteps: readonly Case[] = [0.8, 0.7, 0.6].map(share => ({
  name: `no drop × ${share} steps`,
  stepsShare: share,
}));
const OURS = 'minimax pivotal';
/** `options` may name another rate, where that of the name is the mean of a schedule. */
const at = (name: string, rate: number, options: Partial<Drop>, share?: number): Case => ({
  name: `${name} ${rate}${share === undefined ? '' : ` × ${share.toFixed(2)} steps`}`,
  dropBP: { rate, ...options },
  ...(share !== undefined && { stepsShare: share }),
});
const like = (of: string, cases: readonly Case[]): Case[] =>
  cases.map(own => (own.name === of ? own : { ...own, learningRateOf: of }));

/** The questions that the tables of bench/results answer. */
export const experiments: Readonly<Record<string, (layers: number) => Case[]>> = {
  /** The paper's: held-out loss against time at each rate. */
  rates: () => [noDrop, ...RATES.map(rate => at(OURS, rate, ours))],
  /** The authors' algorithm at each rate. */
  reference: () => RATES.map(rate => at('reference', rate, reference)),
  /** The backward of what is kept, scaled up. */
  rescaled: () => RATES.map(rate => at('minimax pivotal rescaled', rate, { ...ours, rescale: true })),
  /** Rates by sensitivity against equal ones; our allocations and draw against the reference's, one at a time. */
  allocations: () => [
    at('reference', 0.75, reference),
    at('uniform', 0.75, uniform),
    at('reference pivotal', 0.75, { ...reference, sampling: 'pivotal' }),
    ...(['minimax', 'quadratic', 'linear'] as const).map(allocation =>
      at(`${allocation} pivotal`, 0.75, { allocation, sampling: 'pivotal' }),
    ),
    at('linear pivotal, maxRate 1', 0.75, { allocation: 'linear', sampling: 'pivotal', maxRate: 1 }),
  ],
  /** The same where all is trained, each with a learning rate of its own, and the authors' rescaled. */
  'allocations-full': () => [
    at(OURS, 0.5, ours),
    at('uniform', 0.5, uniform),
    at('reference rescaled', 0.5, { ...reference, rescale: true }),
  ],
  /** The strongest simple alternative, for equal time: fewer steps. */
  shorter: () => [...fewerSteps],
  /** With drops, as many steps as take the time of the run without, by FLOPs. */
  longer: () => RATES.flatMap(rate => like(`${OURS} ${rate}`, [at(OURS, rate, ours, 2 / (2 - rate))])),
  /** The same by depth. */
  'longer-depth': () => RATES.flatMap(rate => like(`depth ${rate}`, [at('depth', rate, depth, 2 / (2 - rate))])),
  /** The same where all is trained, and a backward pass costs two forward passes. */
  'longer-full': () => [
    ...[0.5, 0.875].map(rate => at('depth', rate, depth, 3 / (3 - 2 * rate))),
    at('reference', 0.5, reference, 1.5),
  ],
  /** The same with rates that rise while the run goes on: their mean is that of the name. */
  'longer-late': () => [undefined, 1.5].map(share => at('depth, more late', 0.5, { ...depth, ...late }, share)),
  /** Rates by depth, whose draws leave every gradient exact, at each rate. */
  depth: () => RATES.map(rate => at('depth', rate, depth)),
  /** What could make rates by depth better still: when the drops come, and what is dropped. The mean rate is that of the name. */
  'depth-variations': () =>
    like('no drop', [
      at('depth, more late', 0.5, { ...depth, ...late }),
      at('depth, more early', 0.5, { ...depth, rate: 0.1, schedule: { ramp: 1, from: 0.9 } }),
      at('depth, none in the first sixth', 0.5, { ...depth, rate: 0.6, schedule: { warmup: 1 / 6 } }),
      at('depth rescaled', 0.5, { ...depth, rescale: true }),
      // MLPs alone do not come to 0.5 of the FLOPs.
      at('depth, mlp alone', 0.4, { ...depth, only: 'mlp' }),
      at('reference, mlp alone', 0.4, { ...reference, only: 'mlp' }),
      at('depth', 0.4, depth),
    ]),
  /** What counts, in few runs: for longer runs, other texts, full fine-tuning, more tokens a step. */
  short: () => [
    noDrop,
    ...[0.5, 0.875].map(rate => at('depth', rate, depth)),
    ...[0.5, 0.875].map(rate => at('reference', rate, reference)),
    ...fewerSteps,
  ],
  /** The most concentrated rates by sensitivity: close to freezing. */
  linear: () =>
    RATES.map(rate => at('linear pivotal, maxRate 1', rate, { allocation: 'linear', sampling: 'pivotal', maxRate: 1 })),
  /** Fewer adapted layers, each with a learning rate of its own. */
  upper: layers =>
    [0.5, 0.75].map(share => ({
      name: `upper ${Math.round((1 - share) * 1000) / 10} % of the layers`,
      layers: Array.from({ length: Math.max(1, Math.round(layers * (1 - share))) }, (_, i) => layers - 1 - i).reverse(),
    })),
  /** What could decide it. */
  variations: () =>
    like(`${OURS} 0.75`, [
      at(OURS, 0.75, ours),
      at('warm-up', 0.75, { ...ours, schedule: { warmup: 0.2 } }),
      at('more late', 0.75, { ...ours, maxRate: 0.95, schedule: { ramp: 1, from: 0.5 } }),
      at('more early', 0.5, { ...ours, maxRate: 0.95, schedule: { ramp: 1, from: 0.875 } }),
      at('measured again', 0.75, { ...ours, calibration: { at: 0.1, every: 50 } }),
      at('four samples', 0.75, { ...ours, calibration: { at: 0.1, samples: 4 } }),
      at('at the start', 0.75, { ...ours, calibration: { at: 0 } }),
      at('maxRate 0.97', 0.75, { ...ours, maxRate: 0.97 }),
      at('minRate 0.3', 0.75, { ...ours, minRate: 0.3 }),
      at('mlp alone', 0.5, { ...ours, only: 'mlp', maxRate: 1 }),
      at('attention alone', 0.25, { ...ours, only: 'attention', maxRate: 1 }),
    ]),
  /** Every adapter, without DropBP and with it. */
  adapters: () => [
    ...(Object.keys(methods) as MethodName[]).flatMap(method => {
      const rates = highLearningRates[method];
      const searched = { method, ...(rates && { learningRates: rates }) };
      return [
        { name: method, ...searched },
        { ...at(`${method}, reference`, 0.5, reference), ...searched },
        ...like(
          method,
          [0.5, 0.875].map(rate => ({ ...at(`${method}, depth`, rate, depth), method })),
        ),
      ];
    }),
    // What is trained lies in front of all branches, and acts through attention.
    ...(['prompt tuning', 'p-tuning, MLP'] as const).flatMap(method =>
      like(method, [
        // MLPs alone do not come to 0.5 of the FLOPs.
        { ...at(`${method}, reference`, 0.4, reference), method },
        { ...at(`${method}, attention kept`, 0.4, { ...reference, only: 'mlp' }), method },
        // What dropBP({ rate }) does by itself here.
        { ...at(`${method}, even draws`, 0.5, { ...reference, sampling: 'pivotal' }), method },
      ]),
    ),
  ],
};

/** The run of a case. @param common - what it has in common with the others */
export function planOfCase(common: CommonPlan, one: Case, learningRate: number, seed: number): RunPlan {
  const { name, method = common.method, dropBP, layers, weights, wholeEvery, stepsShare = 1 } = one;
  return {
    ...common,
    ...{ name, method },
    ...(weights && { weights }),
    ...(dropBP && { dropBP }),
    ...(wholeEvery && { wholeEvery }),
    ...(layers && { layers }),
    ...{ learningRate, seed, steps: Math.round(common.steps * stepsShare) },
  };
}
