import { fileURLToPath, pathToFileURL } from 'node:url';

// The part of node-llama-cpp that is used here: it is installed beside the workspace, by install.mjs.
interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface LlamaModel {
  createContext(options: object): Promise<LlamaContext>;
  tokenize(text: string, specialTokens?: boolean): number[];
  dispose(): Promise<void>;
}
interface LlamaContext {
  readonly getSequence: () => {
    evaluate(tokens: readonly number[], options: { temperature: number }): AsyncIterable<number>;
    controlledEvaluate(
      input: readonly (number | [number, { generateNext: { probabilities: true } }])[],
    ): Promise<(undefined | { next: { probabilities?: Map<number, number> } })[]>;
  };
  dispose(): Promise<void>;
}

let llama: Promise<Llama> | undefined;

/** llama.cpp on the processor, as its prebuilt binary for Node has it. */
async function startLlama(): Promise<Llama> {
  const entry = fileURLToPath(
    new URL('../../.cache/exports/llama-cpp/node_modules/node-llama-cpp/dist/index.js', import.meta.url),
  );
  const { getLlama } = (await import(pathToFileURL(entry).href)) as {
    readonly getLlama: (options: object) => Promise<Llama>;
  };
  return getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logLevel: 'error' });
}

/** What llama.cpp makes of a prompt. */
export interface LlamaAnswer {
  /** Tokens of greedy decoding. */
  readonly tokens: readonly number[];
  /** Of the token behind the prompt, by id. */
  readonly probabilities: Float32Array;
}

/** Runs something with a GGUF file loaded. */
export async function withLlama<T>(modelPath: string, run: (model: LlamaModel) => Promise<T>): Promise<T> {
  const model = await (await (llama ??= startLlama())).loadModel({ modelPath });
  try {
    return await run(model);
  } finally {
    await model.dispose();
  }
}

/**
 * Greedy text and probabilities. Keys and values are kept in float32, so that only weights are rounded.
 *
 * @param lora - a GGUF adapter
 */
export async function askLlama(
  model: LlamaModel,
  prompt: readonly number[],
  { length, vocabSize, lora }: { length: number; vocabSize: number; lora?: string },
): Promise<LlamaAnswer> {
  const context = await model.createContext({
    contextSize: prompt.length + length + 8,
    sequences: 2,
    threads: 2,
    flashAttention: false,
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
    ...(lora !== undefined && { lora }),
  });
  try {
    const tokens: number[] = [];
    const text = context.getSequence();
    for await (const token of text.evaluate(prompt, { temperature: 0 })) {
      tokens.push(token);
      if (tokens.length === length) break;
    }
    const last = prompt.at(-1)!;
    const input = [...prompt.slice(0, -1), [last, { generateNext: { probabilities: true } }] as const];
    const outputs = await context.getSequence().controlledEvaluate(input as never);
    const probabilities = new Float32Array(vocabSize);
    for (const [id, share] of outputs.at(-1)!.next.probabilities!) probabilities[id] = share;
    return { tokens, probabilities };
  } finally {
    await context.dispose();
  }
}
