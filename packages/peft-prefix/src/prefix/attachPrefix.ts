import * as tf from '@tensorflow/tfjs';
import {
  disposeOnce,
  prepend,
  reshape,
  splitLast,
  toNamedArrays,
  transpose,
  type Attachment,
  type Hooks,
  type KeyValue,
  type PeftFiles,
} from '@dropbp/core';
import type { AttentionBranch } from '../attentions.ts';
import { PROMPT_KEY } from '../prompt/promptConfig.ts';

const PREFIX = 'prefix';

/** The name of a branch's keys and values in front, `[numVirtualTokens, 2 · kvHeads · headSize]`, keys first. */
export function prefixName({ path }: Pick<AttentionBranch, 'path'>): string {
  return `${path}.${PREFIX}`;
}

/** What a prefix is made of. */
interface PrefixParts extends Pick<Attachment, 'parameters' | 'encoder'> {
  readonly attentions: readonly AttentionBranch[];
  readonly numVirtualTokens: number;
  /** The prefixes of all branches side by side, as they are now. The caller owns the tensor. */
  readonly prefixes: () => tf.Tensor;
  readonly config: () => PeftFiles['config'];
}

/** Keys and values in front of every sequence, in every attention branch. */
export function attachPrefix(parts: PrefixParts): Attachment {
  const { attentions, numVirtualTokens, prefixes, config, parameters, encoder } = parts;
  return {
    parameters,
    constants: new Map(),
    hooks,
    virtualKeys: numVirtualTokens,
    adaptedModules: new Set(attentions.map(({ path }) => path)),
    ...(encoder !== undefined && { encoder }),
    async toPeft() {
      const all = prefixes();
      try {
        return { config: config(), tensors: await toNamedArrays('peft-prefix', new Map([[PROMPT_KEY, all]])) };
      } finally {
        all.dispose();
      }
    },
    dispose: () => disposeOnce(parameters.values()),
  };
}

/**
 * Prefixes that are trained as they are, one parameter for each branch: one that is dropped then keeps its moments too.
 *
 * @param table - `[numVirtualTokens, branches · 2 · kvHeads · headSize]`, the caller's
 */
export function attachPrefixTable(
  attentions: readonly AttentionBranch[],
  table: tf.Tensor,
  config: () => PeftFiles['config'],
): Attachment {
  const parameters = tf.tidy(() => {
    const parts = tf.split(table, attentions.length, 1);
    return parts.map((part, i): [string, tf.Variable] => [prefixName(attentions[i]!), tf.variable(part)]);
  });
  return attachPrefix({
    parameters: new Map(parameters),
    attentions,
    numVirtualTokens: table.shape[0],
    prefixes: () => tf.concat(parameters.map(([, part]) => part), 1), // prettier-ignore
    config,
  });
}

// One object for every prefix, so that an engine compiles once for all of them.
const hooks: Hooks = {
  keyValue(name, pair, p) {
    const prefix = p[`${name}.${PREFIX}`];
    if (prefix === undefined) return pair;
    const [keys, values] = splitLast(prefix, 2) as [tf.Tensor, tf.Tensor];
    return { keys: putInFront(keys, pair.keys), values: putInFront(values, pair.values) };
  },
};

/** @param front - `[numVirtualTokens, kvHeads · headSize]` */
function putInFront(front: tf.Tensor, states: KeyValue['keys']): tf.Tensor {
  const [, kvHeads, , headSize] = states.shape as [number, number, number, number];
  return prepend(transpose(reshape(front, [front.shape[0], kvHeads, headSize]), [1, 0, 2]), states, 2);
}
