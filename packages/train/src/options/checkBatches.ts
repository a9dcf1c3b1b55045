import { checkValue } from '@dropbp/basics';

/** @throws Problem for what gives no batches one after the other */
export function checkBatches(caller: string, batches: unknown): void {
  checkValue('train', `${caller}: batches`, batches, isIterable, 'batches, such as textBatches(…) gives');
}

function isIterable(given: unknown): boolean {
  return typeof given === 'object' && given !== null && (Symbol.iterator in given || Symbol.asyncIterator in given);
}
