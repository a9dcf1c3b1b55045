import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem } from '@dropbp/basics';
import type { Results, TracedFunction } from '@dropbp/engine';
import { type CompiledFunction, type CompileOptions, compileOn } from '../compile/compile.ts';
import type { Device } from '../device/device.ts';
import type { DeviceChoice } from '../device/deviceChoice.ts';
import { kernelTable } from '../kernels/kernelTable.ts';
import { OrtBackend } from './ortBackend.ts';

const backendName = 'ort';

/** Between those that are native or on a GPU (3) and wasm (2), as tfjs counts. */
const priority = 2.5;

const maxSessions = 1024;

let choice: DeviceChoice = {};

/**
 * Chooses where ONNX Runtime runs. To be called before the backend is first used.
 *
 * @throws Problem if the backend is in use
 *
 * @example
 * ```ts
 * useDevice({ device: 'queue', threads: 2 });
 * await tf.setBackend('ort');
 * ```
 */
export function useDevice(wish: DeviceChoice): void {
  checkOptions('tfjs-backend-ort', 'useDevice()', wish, ['device', 'threads']);
  if (backendName in tf.engine().registry) {
    throw problem('tfjs-backend-ort', {
      what: 'useDevice() comes too late: the backend is in use',
      fix: 'call it before anything is computed',
    });
  }
  choice = { ...wish };
}

/** Makes the backend known to tfjs. Nothing native is loaded before tfjs chooses it. */
export function registerBackend(makeDevice: (choice: DeviceChoice) => Device | Promise<Device>): void {
  const withDevice = (device: Device): OrtBackend => new OrtBackend(device, maxSessions);
  tf.registerBackend(
    backendName,
    () => {
      const device = makeDevice(choice);
      return device instanceof Promise ? device.then(withDevice) : withDevice(device);
    },
    priority,
  );
  const names = new Set([...kernelTable.keys(), ...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName)]);
  for (const kernelName of names) {
    if ((tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => asOrtBackend(backend).runKernel(kernelName, inputs, attrs ?? {}),
    });
  }
}

/**
 * The backend 'ort' where it is the active one: for its fallbacks, memory and `trim()`.
 *
 * @throws Problem when another backend is active
 */
export function ortBackend(): OrtBackend {
  return asOrtBackend(tf.backend());
}

/**
 * Makes a function over named tensors that runs as a few fused sessions of ONNX Runtime and is differentiable like any tfjs function.
 *
 * It is traced on the first call of each signature (names, types and shapes of its inputs): everything in it must follow from its
 * inputs alone. Reading tensors, drawing random numbers and reading variables from outside are errors.
 *
 * @throws Problem for options that it does not know; when called, where another backend is active
 *
 * @example
 * ```ts
 * const layer = compile(({ x, w }) => tf.relu(tf.matMul(x, w)));
 * const y = layer({ w }, { x }); // the gradient flows to w alone
 * ```
 */
export function compile<R extends Results>(fn: TracedFunction<R>, options?: CompileOptions): CompiledFunction<R> {
  return compileOn(ortBackend, fn, options);
}

function asOrtBackend(backend: unknown): OrtBackend {
  if (backend instanceof OrtBackend) return backend;
  throw problem('tfjs-backend-ort', {
    what: 'the active backend of tfjs is another one',
    got: tf.getBackend(),
    expected: `'${backendName}'`,
    fix: `await tf.setBackend('${backendName}')`,
  });
}
