import { problem } from '@dropbp/basics';
import {
  activateGate,
  chooseExperts,
  dealToExperts,
  linear,
  reshape,
  splitLast,
  type Activation,
  type Branch,
  type ExpertsInfo,
  type ModuleInfo,
  type MultiplyRows,
} from '@dropbp/core';
import { moduleInfo } from '../../layers/moduleInfo.ts';
import type { StoredParts } from '../architecture.ts';
import type { ConfigReader } from '../configReader.ts';

/** A mixture of experts in the place of an MLP. Source: Shazeer et al., "Outrageously Large Neural Networks", 2017. */
export interface Mixture {
  /** The name of the branch below its block. */
  readonly module: string;
  /** The name of what chooses, below the branch. */
  readonly router: string;
  readonly experts: number;
  readonly perToken: number;
  /** Width between the two products of an expert. */
  readonly innerSize: number;
  /** Over which logits the weights of a token's experts are a softmax. */
  readonly softmaxOver: 'chosen' | 'all';
  readonly isIn: (layer: number) => boolean;
  /** What checkpoints call its weights, below the block: each alone, or pieces of them. */
  readonly stored: StoredMixture;
}

/** The names in checkpoints, below the block; those of pieces with `*` for the number of the expert. */
export interface StoredMixture {
  readonly router?: string;
  readonly gateUp: string | readonly string[];
  readonly down: string | readonly string[];
}

/** Keys that change no logits while `output_router_logits` is off; the noise is one of training alone. */
export const inertMixtureKeys: readonly string[] = ['router_aux_loss_coef', 'router_jitter_noise'];

/** Reads how many experts there are, and how many each token takes. @throws Problem for numbers that do not fit */
export function readExperts(
  reader: ConfigReader,
  defaults: { readonly experts: number; readonly perToken: number },
): Pick<Mixture, 'experts' | 'perToken'> {
  const experts = reader.integer('num_local_experts', reader.integer('num_experts', defaults.experts));
  const perToken = reader.integer('num_experts_per_tok', defaults.perToken);
  if (experts > reader.limits.experts) {
    throw problem('models', {
      what: 'config.json: the number of experts is not usable',
      got: experts,
      expected: `at most ${reader.limits.experts}: ${reader.limits.reason}`,
    });
  }
  if (perToken > experts) {
    throw problem('models', {
      what: 'config.json: num_experts_per_tok is not usable',
      got: perToken,
      expected: `at most the ${experts} experts`,
    });
  }
  if (reader.boolean('output_router_logits', false)) {
    throw problem('models', {
      what: 'config.json: output_router_logits is not supported: it adds a loss that balances the experts',
      fix: 'set it to false: the experts are then trained by the loss of the text alone',
    });
  }
  return { experts, perToken };
}

const [GATE_UP, DOWN] = ['gate_up_proj', 'down_proj'] as const;

/** The modules of a mixture by name below the block. */
export function mixtureModules(mixture: Mixture, width: number): [string, ModuleInfo][] {
  const { module, router, experts, perToken, innerSize } = mixture;
  const info: ExpertsInfo = {
    ...{ count: experts, perToken, layout: 'outIn' },
    parameters: { [GATE_UP]: [experts, 2 * innerSize, width], [DOWN]: [experts, width, innerSize] },
  };
  return [
    [`${module}.${router}`, moduleInfo.router(width, experts, false)],
    [`${module}.experts`, moduleInfo.experts(width, info)],
  ];
}

/** Weights that a token goes through: those of the router, and of the experts that it takes. */
export function mixtureWeights({ experts, perToken, innerSize }: Mixture, width: number): number {
  return width * experts + 3 * perToken * width * innerSize;
}

/** The branch without its norm. */
export function runMixture(mixture: Mixture, activation: Activation): Branch['apply'] {
  const { module, router, experts, perToken, softmaxOver } = mixture;
  const [toExperts, inward, outward] = [`${module}.${router}.weight`, `${module}.experts.${GATE_UP}`, `${module}.experts.${DOWN}`] as const; // prettier-ignore
  return (x, p, hooks) => {
    const tokens = reshape(x, [-1, x.shape.at(-1)!]);
    const through = (name: string, rows: typeof x, multiply: MultiplyRows): typeof x =>
      hooks.parameter === undefined ? multiply(rows, p[name]!) : hooks.parameter(name, rows, multiply, p);
    const logits = through(toExperts, tokens, (rows, weight, layout = 'outIn') => linear(rows, weight, { layout }));
    const chosen = chooseExperts(logits, perToken, softmaxOver);
    const dealt = dealToExperts(tokens, chosen, experts);
    const [gate, up] = splitLast(through(inward, dealt.rows, dealt.multiply), 2) as [typeof x, typeof x];
    const made = through(outward, activateGate(gate, up, activation), dealt.multiply);
    return reshape(dealt.collect(made, chosen.weights), x.shape);
  };
}

/** Where a checkpoint holds the weights of mixtures in the blocks `<layers>.<i>`. */
export function storedMixture(
  { module, router, experts, innerSize, stored }: Mixture,
  layers: string,
  indices: readonly number[],
  width: number,
): {
  readonly storedNames: Readonly<Record<string, string>>;
  readonly storedParts: (name: string) => StoredParts | undefined;
} {
  const whole: [string, string | readonly string[] | undefined][] = [
    [`${router}.weight`, stored.router],
    [`experts.${GATE_UP}`, stored.gateUp],
    [`experts.${DOWN}`, stored.down],
  ];
  const storedNames = Object.fromEntries(
    indices.flatMap(i =>
      whole.flatMap(([name, other]) =>
        typeof other === 'string' ? [[`${layers}.${i}.${module}.${name}`, `${layers}.${i}.${other}`]] : [],
      ),
    ),
  );
  const shapes: Readonly<Record<string, readonly number[]>> = {
    [GATE_UP]: [innerSize, width],
    [DOWN]: [width, innerSize],
  };
  return {
    storedNames,
    storedParts(name) {
      const at = name.lastIndexOf(`.${module}.experts.`);
      if (at < 0) return undefined;
      const parameter = name.slice(name.lastIndexOf('.') + 1);
      const names = parameter === GATE_UP ? stored.gateUp : stored.down;
      if (typeof names === 'string') return undefined;
      return {
        count: experts * names.length,
        shape: shapes[parameter]!,
        // Those of one expert behind each other, as they lie in the weight.
        nameOf: i =>
          `${name.slice(0, at)}.${names[i % names.length]!.replace('*', String(Math.floor(i / names.length)))}`,
      };
    },
  };
}
