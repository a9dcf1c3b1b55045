import { checkNumber, checkOptions, checkValue } from '@dropbp/basics';
import { amount } from '../checks/checkNumbers.ts';

/** Frobenius norms of the gradient of each parameter, by its name. A parameter without a gradient is left out. */
export interface SensitivityNorms {
  /** With every branch kept. */
  readonly base: ReadonlyMap<string, number>;
  /** With exactly the branch in question dropped, on the same batch. */
  readonly dropped: ReadonlyMap<string, number>;
}

/**
 * How much the gradient changes when one branch is dropped: Σ (‖g‖ − ‖g of the drop‖)² over all parameters, in float64;
 * a missing gradient counts as 0.
 *
 * @throws Problem when a norm is not finite, naming the parameter
 *
 * Source: the authors' default (their option compares whole gradients instead), github WooSunghyeon/dropbp, commit 7170a63.
 */
export function sensitivityFromNorms(norms: SensitivityNorms): number {
  checkOptions('dropbp', 'sensitivityFromNorms()', norms, ['base', 'dropped']);
  const { base, dropped } = norms;
  const isMap = (value: unknown): boolean => value instanceof Map;
  for (const [name, value] of Object.entries({ base, dropped })) {
    checkValue<unknown>(
      'dropbp',
      `sensitivityFromNorms(): ${name}`,
      value,
      isMap,
      'a Map of norms by the names of parameters',
    );
  }
  let total = 0;
  for (const name of new Set([...base.keys(), ...dropped.keys()])) {
    const [before, after] = [base.get(name) ?? 0, dropped.get(name) ?? 0];
    checkNumber('dropbp', `the gradient norm of '${name}'`, before, amount);
    checkNumber('dropbp', `the gradient norm of '${name}'`, after, amount);
    total += (before - after) ** 2;
  }
  return total;
}
