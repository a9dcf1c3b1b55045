import { nearNames, problem } from '@dropbp/basics';
import type { ConfigReader, RawConfig } from '../../architectures/configReader.ts';
import { gpt2 } from './gpt2.ts';
import { llamaKinds } from './llamaKinds.ts';
import type { GgufHeader } from '../readGguf.ts';

/** How a tensor lies in a file: with the rows of each head in pairs, as llama.cpp turns them, transposed, or one more than in transformers. */
export type Layout = 'plain' | 'paired' | 'transposed' | 'plusOne';

/** How llama.cpp keeps the models of one architecture. */
export interface GgufArchitecture {
  /** Values of `model_type` of the models in it. */
  readonly modelTypes: readonly string[];
  /** transformers' names of the modules by llama.cpp's. `*` is a block's number. */
  readonly modules: Readonly<Record<string, string>>;
  /**
   * A `config.json` without its tokens.
   *
   * @param reader - over the architecture's metadata, whose keys it names without `llama.`
   */
  readonly config: (reader: ConfigReader, header: GgufHeader) => RawConfig;
  /** @param tensor - as in `modules`, with what it is: `blk.*.attn_q.weight` */
  readonly layout: (tensor: string) => Layout;
}

/** By `general.architecture`. A new one is an entry of `llamaKinds`, or a file and a line here. */
export const architectures: Readonly<Record<string, GgufArchitecture>> = {
  ...llamaKinds,
  gpt2,
};

/** @throws Problem for an architecture that is not supported, by its name */
export function architectureOf({ name, metadata }: GgufHeader): [id: string, architecture: GgufArchitecture] {
  const id = metadata.get('general.architecture');
  if (typeof id === 'string' && Object.hasOwn(architectures, id)) return [id, architectures[id]!];
  const near = typeof id === 'string' ? nearNames(id, Object.keys(architectures), 1) : [];
  throw problem('models', {
    what: `${name}: this architecture (general.architecture) is not supported`,
    got: id,
    expected: `one of ${Object.keys(architectures).join(', ')}`,
    ...(near.length > 0 && { fix: `the nearest is '${near[0]!}', if that is what it is` }),
  });
}
