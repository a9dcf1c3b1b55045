import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, it } from 'vitest';
import { problem } from '@dropbp/basics';

/** A test that is left out, and why. */
export interface Skip {
  readonly test: string;
  readonly reason: string;
}

/** One test of a suite. */
export type Test = () => Promise<void>;

/** Tests by name. */
export type Tests = Record<string, Test>;

/**
 * Hands a suite's tests to vitest.
 *
 * @param backend - the tfjs backend that they run on
 * @throws Problem if a test to leave out is none of the suite's
 */
export function describeSuite(
  name: string,
  tests: Readonly<Tests>,
  {
    skip = [],
    backend = 'cpu',
  }: { readonly skip?: readonly Skip[] | undefined; readonly backend?: string | undefined },
): void {
  const skipped = new Set(skip.map(({ test }) => test));
  for (const test of skipped) {
    if (!(test in tests)) {
      throw problem('testing', { what: 'skip names no test', got: test, expected: Object.keys(tests).join(', ') });
    }
  }
  describe(name, () => {
    beforeAll(async () => {
      await tf.setBackend(backend);
    });
    for (const [test, run] of Object.entries(tests)) if (!skipped.has(test)) it(test, run);
  });
}
