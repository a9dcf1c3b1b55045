import { nearNames, problem } from '@dropbp/basics';
import { quote } from '../header/quote.ts';

/**
 * The entry of a tensor.
 *
 * @param subject - where it is looked up, for the message
 * @throws Problem with the nearest names if there is none
 */
export function findTensor<T>(tensors: ReadonlyMap<string, T>, name: string, subject: string): T {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  const near = nearNames(name, tensors.keys());
  throw problem('safetensors', {
    what: `${subject} has no tensor ${quote(name)}`,
    ...(near.length > 0 && { fix: `did you mean ${near.map(quote).join(' or ')}?` }),
  });
}
