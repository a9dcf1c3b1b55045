import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { problem } from '@dropbp/basics';
import type { Device } from './device.ts';
import { nodeCpu } from './nodeCpu.ts';
import { type PublicOrt, queue } from './queue.ts';
import { sessionOptions } from './sessionOptions.ts';

const devices: Readonly<Record<string, (threads: number) => Device>> = {
  'node-cpu': nodeCpu,
  queue: threads =>
    queue(createRequire(import.meta.url)('onnxruntime-node') as PublicOrt, 'queue', model =>
      sessionOptions(model, threads),
    ),
};

/**
 * The device that the environment names: `DROPBP_ORT_DEVICE` (`node-cpu` or `queue`) with `DROPBP_THREADS` threads.
 *
 * @throws Problem for a name or a number that is none
 */
export function nodeDevice(environment: Readonly<Record<string, string | undefined>> = process.env): Device {
  const name = environment.DROPBP_ORT_DEVICE ?? 'node-cpu';
  const make = devices[name];
  if (make) return make(threads(environment.DROPBP_THREADS));
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
