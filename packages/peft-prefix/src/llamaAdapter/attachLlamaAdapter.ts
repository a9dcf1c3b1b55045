import type * as tf from '@tensorflow/tfjs';
import {
  add,
  disposeOnce,
  mergeHeads,
  toPeftTensors,
  type AttentionParts,
  type Attachment,
  type Hooks,
  type Model,
  type PeftFiles,
  type Scope,
} from '@dropbp/core';
import type { AttentionBranch } from '../attentions.ts';
import { promptAttention } from './promptAttention.ts';
import { variable } from '../variable.ts';

/** Names below an attention module's path, as in PEFT. */
export const PROMPT = 'adaption_prompt';
export const GATE = 'adaption_gate';

/** What an adapter is made of. */
interface LlamaAdapterParts {
  readonly attentions: readonly AttentionBranch[];
  readonly adapterLen: number;
  /** The first values of a branch's prompt and of its gate. */
  readonly values: (branch: AttentionBranch) => { readonly prompt: Float32Array; readonly gate: Float32Array };
  readonly config: () => PeftFiles['config'];
}

/** Virtual tokens of their own for these branches, behind a gate. */
export function attachLlamaAdapter(model: Model, parts: LlamaAdapterParts): Attachment {
  const { attentions, adapterLen, values, config } = parts;
  const parameters = new Map<string, tf.Variable>();
  for (const branch of attentions) {
    const { prompt, gate } = values(branch);
    parameters.set(`${branch.path}.${PROMPT}`, variable(prompt, [1, adapterLen, model.hiddenSize]));
    parameters.set(`${branch.path}.${GATE}`, variable(gate, [1]));
  }
  return {
    parameters,
    constants: new Map(),
    hooks: addsBehindOutput.has(model.architecture) ? behindOutput : beforeOutput,
    adaptedModules: new Set(attentions.map(({ path }) => path)),
    toPeft: async () => ({ config: config(), tensors: await toPeftTensors('peft-prefix', parameters) }),
    dispose: () => disposeOnce(parameters.values()),
  };
}

/** Where PEFT adds what was found behind the output layer, and not before it. Source: `adaption_prompt/layer.py`. */
const addsBehindOutput: ReadonlySet<string> = new Set(['gpt2']);

/** What the queries find in the branch's prompt; undefined for a branch without one. */
function findPrompt(name: string, { queries, keyValue }: AttentionParts, p: Scope): tf.Tensor | undefined {
  const prompt = p[`${name}.${PROMPT}`];
  return prompt === undefined ? undefined : promptAttention(queries, keyValue(prompt), p[`${name}.${GATE}`]!);
}

// Two objects for all adapters, so that an engine compiles once for all of a kind.
const beforeOutput: Hooks = {
  attention(name, parts, p) {
    const more = findPrompt(name, parts, p);
    return parts.output(more === undefined ? parts.gathered : add(parts.gathered, more));
  },
};
const behindOutput: Hooks = {
  attention(name, parts, p) {
    const more = findPrompt(name, parts, p);
    const result = parts.output(parts.gathered);
    return more === undefined ? result : add(result, mergeHeads(more));
  },
};
