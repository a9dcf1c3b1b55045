import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import {
  activeEngine,
  type CompiledFunction,
  type EngineOptions,
  type Results,
  type TracedFunction,
} from '@dropbp/core';
import type { KernelCases } from './kernelCase.ts';

/** What a backend is tested with. */
export interface BackendSuite {
  /** As tfjs knows it. */
  readonly backend: string;
  /** Whether it offers core's `Engine`. @defaultValue false */
  readonly compiles?: boolean;
  /**
   * What it cannot do: a test (`'Pow: int32'`, `'Pow: int32 (compiled)'`) or all tests of a kernel (`'Pow'`), and a part of the
   * error. Each is tried and has to fail so.
   */
  readonly cannot?: Readonly<Record<string, string>>;
  /** Kernels of its own, beside those of tfjs. */
  readonly cases?: KernelCases;
  /** Starts the backend anew after a test of what it cannot do, where that may leave it broken. */
  readonly restart?: () => Promise<void>;
  /** What else has to be as before when all tensors are gone: bytes on a device. */
  readonly held?: () => object;
}

/** Runs a part of a test on tfjs's cpu backend, and goes back. */
export async function onCpu<T>(run: () => Promise<T>): Promise<T> {
  const backend = tf.getBackend();
  await tf.setBackend('cpu');
  try {
    return await run();
  } finally {
    await tf.setBackend(backend);
  }
}

const compiledFunctions: object[] = [];

/** Compiles a function on the active backend, for the time of the test. */
export function compile<R extends Results>(fn: TracedFunction<R>, options?: EngineOptions): CompiledFunction<R> {
  const compiled = activeEngine()!.compile(fn, options);
  compiledFunctions.push(compiled);
  return compiled;
}

/** What has to be as before when all tensors are gone. */
export function heldBy(suite: BackendSuite): object {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  return { numTensors, numDataBuffers, numBytes, ...suite.held?.() };
}

/** Disposes what a test makes. */
export async function disposing(run: () => Promise<void>): Promise<void> {
  tf.engine().startScope();
  try {
    await run();
  } finally {
    tf.engine().endScope();
    // Beyond their calls they hold sessions and constants from outside, which an engine may free only by itself.
    for (const compiled of compiledFunctions.splice(0)) (compiled as { dispose?: () => void }).dispose?.();
  }
}

/** Disposes what a test makes, and checks that nothing is left. */
export function leavingNothing(suite: BackendSuite, run: () => Promise<void>): () => Promise<void> {
  return async () => {
    const before = heldBy(suite);
    await disposing(run);
    expect(heldBy(suite), 'what is held').toEqual(before);
  };
}
