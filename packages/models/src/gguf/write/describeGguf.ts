import { problem } from '@dropbp/basics';
import { tokenHead, type ModuleInfo } from '@dropbp/core';
import { defineModel } from '../../architectures/architectures.ts';
import type { RawConfig } from '../../architectures/configReader.ts';
import { architectures, type GgufArchitecture } from '../config/ggufArchitecture.ts';
import { transpose, pairRows } from '../tensors/tensorLayout.ts';
import { describeGpt2 } from './describeGpt2.ts';
import { describeLlama, graniteKeys } from './describeLlama.ts';
import type { GgufField } from './ggufField.ts';

/** What the metadata of a model says of its architecture. */
export interface ModelMetadata {
  /** By llama.cpp's keys without the architecture in front: `block_count`. */
  readonly keys: Readonly<Record<string, GgufField>>;
  readonly heads: number;
  readonly kvHeads: number;
  /** Divisors of the frequencies of rotary positions, where each has its own. */
  readonly ropeFactors?: Float32Array;
}

/** How llama.cpp keeps a model of transformers: what {@link describeGguf} gives. */
export interface GgufDescription {
  /** `general.architecture`: `'llama'`. */
  readonly architecture: string;
  /** By llama.cpp's keys: `llama.block_count`. */
  readonly metadata: ReadonlyMap<string, GgufField>;
  /** Values of `rope_freqs.weight`, where the model has such. */
  readonly ropeFactors?: Float32Array;
  /** Every leaf module of the model by path. */
  readonly modules: ReadonlyMap<string, ModuleInfo>;
  /** @param parameter - its name in transformers. @throws Problem if llama.cpp has no place for it */
  readonly place: (parameter: string) => GgufPlace;
}

/** Where one parameter lies in a GGUF file. */
export interface GgufPlace {
  /** `'blk.0.attn_q.weight'`. */
  readonly name: string;
  /** The shape in the file, row-major, from that in transformers. */
  shape(shape: readonly number[]): readonly number[];
  /**
   * The values in the file's order. What has the rows of a parameter, such as LoRA's B, is ordered like it.
   *
   * @param shape - in transformers
   */
  arrange(values: Float32Array<ArrayBuffer>, shape: readonly number[]): Float32Array<ArrayBuffer>;
  /** The same for a factor that has only the rows of the parameter, `[rows, any]`. Its columns are left alone. */
  readonly arrangeRows: (values: Float32Array<ArrayBuffer>, rows: number) => Float32Array<ArrayBuffer>;
}

interface Writer {
  /** The key in the table of architectures. */
  readonly id: string;
  readonly describe: (config: RawConfig) => ModelMetadata;
}

/** By `model_type`. A new one is a line here. */
const writers: Readonly<Record<string, Writer>> = {
  llama: { id: 'llama', describe: config => describeLlama(config, { biases: 'any', mlpBias: true }) },
  mistral: { id: 'llama', describe: config => describeLlama(config, { biases: 'any', mlpBias: true }) },
  qwen2: { id: 'qwen2', describe: config => describeLlama(config, { biases: 'queryKeyValue', mlpBias: false }) },
  qwen3: { id: 'qwen3', describe: config => describeLlama(config, { biases: 'none', mlpBias: false }) },
  smollm3: {
    id: 'smollm3',
    describe: config => describeLlama(config, { biases: 'none', mlpBias: false, plainEvery: 4 }),
  },
  granite: {
    id: 'granite',
    describe: config => describeLlama(config, { biases: 'any', mlpBias: true, keys: graniteKeys }),
  },
  olmo2: { id: 'olmo2', describe: config => describeLlama(config, { biases: 'none', mlpBias: false }) },
  gpt2: { id: 'gpt2', describe: describeGpt2 },
};

/** Values of `model_type` that are written as GGUF. */
export const writtenModelTypes: readonly string[] = Object.keys(writers);

/**
 * Says how llama.cpp keeps a model: the metadata of a GGUF file, and the name and order of every tensor. It is the way back of
 * `ggufConfig()`.
 *
 * @param config - the keys of a `config.json`
 * @throws Problem for an architecture that llama.cpp does not have or computes in another way
 */
export function describeGguf(config: RawConfig): GgufDescription {
  const definition = defineModel(config);
  tokenHead(definition);
  const { architecture: type, modules } = definition;
  if (!Object.hasOwn(writers, type)) {
    throw problem('models', {
      what: 'models of this architecture are not written as GGUF',
      got: type,
      expected: `one of ${Object.keys(writers).join(', ')}`,
    });
  }
  const { id, describe } = writers[type]!;
  const { keys, ropeFactors, heads, kvHeads } = describe(config);
  const names = nameModules(architectures[id]!);
  return {
    architecture: id,
    metadata: new Map<string, GgufField>([
      ['general.architecture', id],
      ...Object.entries(keys).map(([key, field]) => [`${id}.${key}`, field] as const),
    ]),
    ...(ropeFactors && { ropeFactors }),
    modules,
    place(parameter) {
      const dot = parameter.lastIndexOf('.');
      const pattern = names(parameter.slice(0, dot));
      if (pattern === undefined) {
        throw problem('models', {
          what: `llama.cpp has no place for '${parameter}'`,
          expected: `the parameters of its '${id}'`,
        });
      }
      const kind = parameter.slice(dot + 1);
      const headCount = pattern.name.endsWith('attn_k') ? kvHeads : heads;
      return placeOf(`${pattern.name}.${kind}`, architectures[id]!.layout(`${pattern.pattern}.${kind}`), headCount);
    },
  };
}

/** llama.cpp's names of transformers' modules. */
function nameModules({ modules }: GgufArchitecture): (module: string) => { name: string; pattern: string } | undefined {
  const byModule = new Map(Object.entries(modules).map(([pattern, module]) => [module, pattern]));
  return module => {
    const block = /\.(\d+)\./.exec(module);
    const pattern = byModule.get(block === null ? module : module.replace(block[0], '.*.'));
    return pattern === undefined ? undefined : { pattern, name: pattern.replace('*', block?.[1] ?? '') };
  };
}

function placeOf(name: string, layout: ReturnType<GgufArchitecture['layout']>, heads: number): GgufPlace {
  const arrangeRows: GgufPlace['arrangeRows'] = (values, rows) =>
    layout === 'paired' ? floats(pairRows(bytes(values), rows, heads)) : values;
  return {
    name,
    shape: shape => (layout === 'transposed' ? [...shape].reverse() : shape),
    arrange(values, shape) {
      if (layout === 'plusOne') return values.map(value => value + 1);
      return layout === 'transposed'
        ? floats(transpose(bytes(values), shape[0]!, shape[1]!))
        : arrangeRows(values, shape[0]!);
    },
    arrangeRows,
  };
}

const bytes = (values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const floats = ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  new Float32Array(buffer, byteOffset, byteLength / 4);
