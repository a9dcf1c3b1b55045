import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { isNotInstalled } from './isNotInstalled.ts';

/** What brings the backend `tensorflow`: with CUDA, and for the CPU alone. One API. */
export const tfjsNodePackages: readonly string[] = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * Registers the backend `tensorflow` from the first of these packages that is installed and loads.
 *
 * @throws what kept the first that is installed from loading; if none is, that
 */
export async function registerTfjsNode(packages: readonly string[]): Promise<void> {
  // What TensorFlow tells on start-up would stand between lines of progress.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  let failure: unknown;
  for (const name of packages) {
    try {
      // Not a literal, so that neither bundlers nor the compiler ask for a package that need not be installed.
      await import(name);
      restoreUtil();
      return;
    } catch (error) {
      if (failure === undefined || isNotInstalled(failure)) failure = error;
    }
  }
  throw failure;
}

/** tfjs-node 4.22, the newest, calls two functions that Node 23 took out: https://github.com/tensorflow/tfjs/issues/8609. */
function restoreUtil(): void {
  const functions = util as unknown as Record<string, unknown>;
  functions.isArray ??= Array.isArray;
  functions.isNullOrUndefined ??= (value: unknown) => value === undefined || value === null;
}

/** What {@link tensorFlow} reads of the active backend. */
interface TfjsNodeBackend {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
}

/** The TensorFlow behind the active backend, which is `tensorflow`. */
export function tensorFlow(): { readonly version: string; readonly isOnGpu: boolean } {
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as TfjsNodeBackend;
  return { version: binding.TF_Version, isOnGpu: isUsingGpuDevice };
}
