import { asParameters, makeRope, ropeParameters, type RopeShape } from '../../layers/rope/readRope.ts';
import type { ConfigReader } from '../configReader.ts';
import type { LlamaConfig } from './llamaConfig.ts';

/**
 * Rotary schemes of layers that see all and of those with a window: by their names in `rope_parameters`, as transformers 5 writes
 * them. In older files `rope_scaling` and `rope_theta` are those of the first, and the second have no scaling.
 *
 * @param slidingTheta - of layers with a window, where the file does not say
 */
export function ropesByLayerType(reader: ConfigReader, shape: RopeShape, slidingTheta: number): LlamaConfig['ropes'] {
  const [name, parameters] = ropeParameters(reader);
  const isNested = 'full_attention' in parameters || 'sliding_attention' in parameters;
  const part = (type: string): Readonly<Record<string, unknown>> =>
    isNested ? asParameters(parameters[type], `${name}.${type}`) : {};
  const all = isNested ? part('full_attention') : parameters;
  return {
    all: makeRope(reader, isNested ? `${name}.full_attention` : name, all, shape),
    sliding: makeRope(
      reader,
      `${name}.sliding_attention`,
      { rope_theta: slidingTheta, ...part('sliding_attention') },
      shape,
    ),
  };
}
