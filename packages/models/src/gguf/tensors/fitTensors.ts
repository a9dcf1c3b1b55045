import { problem } from '@dropbp/basics';
import type { ConfigReader } from '../../architectures/configReader.ts';
import type { GgufHeader } from '../readGguf.ts';

/**
 * The shape of a tensor that every model of the architecture has.
 *
 * @throws Problem if there is none
 */
export function tensorShape({ name, tensors }: GgufHeader, tensor: string): readonly number[] {
  const found = tensors.get(tensor);
  if (found !== undefined) return found.shape;
  throw problem('models', { what: `${name} has no tensor '${tensor}'`, expected: 'the weights of a whole model' });
}

/**
 * The number of blocks.
 *
 * @throws Problem for more blocks than tensors: memory is taken for each
 */
export function blockCount(reader: ConfigReader, { name, tensors }: GgufHeader): number {
  const count = reader.integer('block_count');
  if (count <= tensors.size) return count;
  throw problem('models', {
    what: `${name} does not hold its blocks (block_count)`,
    got: count,
    expected: `tensors of each, not ${tensors.size} in all`,
  });
}
