import { checkValue } from '@dropbp/basics';
import { hasMethods } from './hasMethods.ts';

/** @throws Problem for what is no map of tensors by their names, such as the object that tfjs's `variableGrads` gives */
export function checkNamed(name: string, tensors: unknown): void {
  const fix = 'of an object make one: new Map(Object.entries(…))';
  checkValue('train', name, tensors, isMap, 'a Map of tensors by name, as compose() gives', fix);
}

function isMap(value: unknown): boolean {
  return hasMethods(value, ['get', 'entries']);
}
