import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';

/** A kind of weight. */
export type Part = 'biases' | 'norms';

const isOf: Readonly<Record<Part, (name: string, model: Model) => boolean>> = {
  biases: name => name.endsWith('.bias'),
  norms: (name, { modules }) => modules.get(name.slice(0, name.lastIndexOf('.')))?.kind === 'norm',
};

/** Whether a weight is of one of the kinds. */
export function isOfParts(parts: readonly Part[], name: string, model: Model): boolean {
  return parts.some(part => isOf[part](name, model));
}

/** @throws Problem for what is no list of kinds */
export function checkParts(parts: unknown): void {
  const isParts = Array.isArray(parts) && parts.length > 0 && parts.every(part => Object.hasOwn(isOf, String(part)));
  if (isParts) return;
  throw problem('peft-full', { what: 'parts is not usable', got: parts, expected: "a list of 'biases' and 'norms'" });
}

/** @throws Problem for a kind of which the model has none */
export function checkPartsPresent(parts: readonly Part[], model: Model): void {
  const names = [...model.parameters.keys()];
  const absent = parts.find(part => !names.some(name => isOf[part](name, model)));
  if (absent === undefined) return;
  throw problem('peft-full', {
    what: `the model has no ${absent} to train`,
    fix: `leave '${absent}' out${absent === 'biases' ? "; parts: ['norms'] is the nearest thing that it has" : ''}`,
  });
}
