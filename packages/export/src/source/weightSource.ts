import { problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import { weightForm, type Model } from '@dropbp/core';
import { openWeights, type HubOptions } from '@dropbp/models';

/**
 * What is exported: a model in memory, one with its adapter, which is merged, or the folder, GGUF file or hub id of a model, whose
 * weights are then read one at a time and never held together.
 */
export type ExportSource = Model | Tuned | string;

/** The weights of a model, one at a time. */
export interface WeightSource {
  /** For messages and `general.name`. */
  readonly name: string;
  /** The keys of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** By name in transformers, in the order of the modules. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** The files of the tokenizer and of generation by name. */
  companions(): Promise<ReadonlyMap<string, Uint8Array>>;
  close(): Promise<void>;
}

/** Opens what is exported. Close it. @throws Problem for a model whose weights are packed, and for a merge that is not possible */
export async function openSource(source: ExportSource, hub: HubOptions = {}): Promise<WeightSource> {
  if (typeof source === 'string') return openWeights(source, hub);
  if (!('merge' in source)) return modelSource(source);
  const merged = await source.safeMerge();
  const opened = modelSource(merged);
  return {
    ...opened,
    close() {
      merged.dispose();
      return Promise.resolve();
    },
  };
}

function modelSource(model: Model): WeightSource {
  const { parameters, config, source } = model;
  const packed = [...parameters].find(([, tensor]) => weightForm(tensor) !== 'f32');
  if (packed !== undefined) {
    throw problem('export', {
      what: `'${packed[0]}' is kept as ${weightForm(packed[1])}: a file would hold what is left of it`,
      fix: "load the model with weights: 'f32', or export its folder by its path",
    });
  }
  return {
    name: source === '' ? String(config.model_type) : source,
    config,
    shapes: new Map([...parameters].map(([name, { shape }]) => [name, shape])),
    read: async name => (await parameters.get(name)!.data()) as Float32Array<ArrayBuffer>,
    companions: () => model.companions?.() ?? Promise.resolve(new Map()),
    close: () => Promise.resolve(),
  };
}
