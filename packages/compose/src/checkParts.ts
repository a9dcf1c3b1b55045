import { checkValue } from '@dropbp/basics';

/**
 * What {@link compose} is given, for those whose compiler has not looked: anything else would fail far from its cause.
 *
 * @throws Problem for what is no model, no adapter, or not what `dropBP()` gives
 */
export function checkParts(model: unknown, adapter: unknown, dropBP: unknown): void {
  checkPart('the model', model, 'branches', 'what loadModel() gives');
  checkPart('the adapter', adapter, 'attach', 'what a method gives, such as lora({ … }), or loadAdapter()');
  if (dropBP !== undefined) checkPart('dropBP', dropBP, 'start', 'what dropBP({ … }) gives, or undefined');
}

function checkPart(name: string, value: unknown, member: string, expected: string): void {
  const isPart = (given: unknown): boolean => typeof given === 'object' && given !== null && member in given;
  if (value instanceof Promise) checkValue('compose', name, 'a promise', () => false, expected, 'await it');
  else checkValue('compose', name, value, isPart, expected);
}
