import { availableParallelism } from 'node:os';
import { problem } from '@dropbp/basics';
import type { Device } from '../device.ts';
import type { DeviceChoice } from '../deviceChoice.ts';
import { exactInt8 } from '../exactInt8.ts';
import { hostRuntime, type PublicOrt } from './hostRuntime.ts';
import { nodeCpu } from './nodeCpu.ts';
import { nodeWebgpu } from './nodeWebgpu.ts';
import { ortPackage } from './ortPackage.ts';
import { queue } from './queue.ts';
import { sessionOptions } from './sessionOptions.ts';
import { unavailable } from '../unavailable.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const devices: Readonly<Record<string, (threads: number) => Device>> = {
  'node-cpu': nodeCpu,
  queue: threads => {
    const runtime = hostRuntime(ortPackage()('./index.js') as PublicOrt, model => sessionOptions(model, threads));
    // It cannot look at what the processor does before it loads.
    return queue({ ...runtime, load: model => runtime.load(exactInt8(model)) }, 'queue');
  },
  'node-webgpu': nodeWebgpu,
};

/** The device that was chosen; where nothing was, see {@link nodeDevice}. */
export function chosenNodeDevice({ device, threads }: DeviceChoice): Device {
  return nodeDevice({
    ...process.env,
    ...(device !== undefined && { DROPBP_ORT_DEVICE: device }),
    ...(threads !== undefined && { DROPBP_THREADS: String(threads) }),
  });
}

/**
 * The device that the environment names: `DROPBP_ORT_DEVICE` (`node-cpu`, `queue` or `node-webgpu`) with `DROPBP_THREADS` threads.
 * What the environment asks for and cannot be had is refused when it is used.
 *
 * @throws Problem where ONNX Runtime does not run here and nobody asked for it
 */
export function nodeDevice(environment: Environment = process.env): Device {
  try {
    return namedDevice(environment);
  } catch (reason) {
    if (!environment.DROPBP_ORT_DEVICE && !environment.DROPBP_THREADS) throw reason;
    return unavailable(environment.DROPBP_ORT_DEVICE ?? 'node-cpu', reason);
  }
}

function namedDevice({ DROPBP_ORT_DEVICE: name, DROPBP_THREADS: count }: Environment): Device {
  const make = devices[name === undefined || name === '' ? 'node-cpu' : name];
  if (make) return make(threads(count));
  throw problem('tfjs-backend-ort', {
    what: 'DROPBP_ORT_DEVICE is not usable',
    got: name,
    expected: Object.keys(devices).join(' or '),
  });
}

/** All cores, unless told otherwise. */
function threads(wish: string | undefined): number {
  if (wish === undefined || wish === '') return availableParallelism();
  const count = Number(wish);
  if (Number.isInteger(count) && count >= 1) return count;
  throw problem('tfjs-backend-ort', { what: 'DROPBP_THREADS is not usable', got: wish, expected: 'an integer ≥ 1' });
}
