import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { problem } from '@dropbp/basics';
import { activeEngine } from '@dropbp/core';
import { type BackendSuite, disposing, leavingNothing } from './backend/backendUnderTest.ts';
import { compileTests } from './backend/compileTests.ts';
import { kernelCases } from './backend/kernelCases.ts';
import { kernelTests } from './backend/kernelTests.ts';
import { memoryTests } from './backend/memoryTests.ts';
import { randomShapeTests } from './backend/randomShapes.ts';
import { describeSuite, type Tests } from './describeSuite.ts';

/**
 * Runs a tfjs backend through what models, adapters and users ask of one: kernels, gradients, types, memory, and where it is an
 * engine, compiled functions. The reference is tfjs's cpu backend.
 *
 * @throws Problem if something that the backend cannot do is no test of the suite
 */
export function testBackend(name: string, suite: BackendSuite): void {
  describeSuite(name, backendTests(suite), suite);
}

/** @internal The tests by name. */
export function backendTests(suite: BackendSuite): Tests {
  const { cannot = {}, compiles = false } = suite;
  const all: Tests = {
    ...kernelTests({ ...kernelCases, ...suite.cases }, compiles),
    ...randomShapeTests(compiles),
    ...memoryTests(suite),
    ...(compiles && compileTests(suite)),
  };
  const failing = new Map<string, string>();
  for (const [key, error] of Object.entries(cannot)) {
    const names = Object.keys(all).filter(test => test === key || test.startsWith(`${key}:`));
    if (names.length === 0) {
      throw problem('testing', { what: 'cannot names no test', got: key, expected: "'Pow', 'Pow: int32' or another" });
    }
    for (const test of names) failing.set(test, error);
  }
  const tests: Tests = {
    'is an engine or none, as it says': () => {
      expect(activeEngine() !== undefined).toBe(compiles);
      expect(tf.getBackend()).toBe(suite.backend);
      return Promise.resolve();
    },
  };
  for (const [test, run] of Object.entries(all)) {
    const error = failing.get(test);
    if (error === undefined) tests[test] = leavingNothing(suite, run);
    else tests[`${test}: not on this backend`] = () => expectFailure(suite, run, error);
  }
  return tests;
}

/** A test of something that the backend cannot do. What it leaves behind does not count. */
async function expectFailure({ restart }: BackendSuite, run: () => Promise<void>, error: string): Promise<void> {
  const failure = await disposing(run).then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  await restart?.();
  if (failure === undefined) expect.fail('it works: take it off the list');
  expect(failure.message).toContain(error);
}
