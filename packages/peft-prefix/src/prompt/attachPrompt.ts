import * as tf from '@tensorflow/tfjs';
import {
  disposeOnce,
  prepend,
  toNamedArrays,
  type Attachment,
  type Hooks,
  type Model,
  type PeftFiles,
} from '@dropbp/core';
import { PROMPT_KEY } from './promptConfig.ts';

/** The name of the virtual tokens `[numVirtualTokens, hiddenSize]` that the hook puts in front. */
export function promptName({ embedding }: Pick<Model, 'embedding'>): string {
  return `${embedding}.${PROMPT_KEY}`;
}

/** What virtual tokens are made of. */
interface PromptParts extends Pick<Attachment, 'parameters' | 'encoder' | 'stepTensors'> {
  readonly numVirtualTokens: number;
  /** The virtual tokens as they are now. The caller owns them. */
  readonly prompt: () => tf.Tensor;
  readonly config: () => PeftFiles['config'];
}

/** Virtual tokens in front of every sequence. */
export function attachPrompt(model: Model, parts: PromptParts): Attachment {
  const { numVirtualTokens, prompt, config, parameters, encoder, stepTensors } = parts;
  return {
    parameters,
    constants: new Map(),
    hooks,
    virtualTokens: numVirtualTokens,
    adaptedModules: new Set([model.embedding]),
    ...(encoder !== undefined && { encoder }),
    ...(stepTensors !== undefined && { stepTensors }),
    async toPeft() {
      const tokens = prompt();
      try {
        return { config: config(), tensors: await toNamedArrays('peft-prefix', new Map([[PROMPT_KEY, tokens]])) };
      } finally {
        tokens.dispose();
      }
    },
    dispose: () => disposeOnce(parameters.values()),
  };
}

/** Virtual tokens that are trained as they are. */
export function attachTable(model: Model, table: tf.Variable, config: () => PeftFiles['config']): Attachment {
  return attachPrompt(model, {
    parameters: new Map([[promptName(model), table]]),
    numVirtualTokens: table.shape[0],
    prompt: () => table.clone(),
    config,
  });
}

// One object for every prompt, so that an engine compiles once for all of them.
const hooks: Hooks = {
  embed(name, x, p) {
    const prompt = p[`${name}.${PROMPT_KEY}`];
    return prompt === undefined ? x : prepend(prompt, x, 1);
  },
};
