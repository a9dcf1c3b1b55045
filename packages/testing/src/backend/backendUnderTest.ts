import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { activeEngine, type Engine } from '@dropbp/core';
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

/** Tests by name. */
export type Tests = Record<string, () => Promise<void>>;

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

/** The active backend's engine. @throws where it has none */
export function engine(): Engine {
  const active = activeEngine();
  expect(active, `an engine on the backend ${tf.getBackend()}`).toBeDefined();
  return active!;
}

/** Disposes what a test makes, and checks that nothing is left. */
export function leavingNothing(suite: BackendSuite, run: () => Promise<void>): () => Promise<void> {
  const held = (): object => {
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    return { numTensors, numDataBuffers, numBytes, ...suite.held?.() };
  };
  return async () => {
    const before = held();
    tf.engine().startScope();
    try {
      await run();
    } finally {
      tf.engine().endScope();
    }
    expect(held(), 'what is held').toEqual(before);
  };
}
