import { expect, it } from 'vitest';
import { nodeDevice } from './nodeDevice.ts';

it('is the one that the environment names', () => {
  expect(nodeDevice({}).name).toBe('node-cpu');
  expect(nodeDevice({ DROPBP_ORT_DEVICE: '', DROPBP_THREADS: '' }).name).toBe('node-cpu');
  expect(nodeDevice({ DROPBP_ORT_DEVICE: 'queue', DROPBP_THREADS: '1' }).name).toBe('queue');
});

it.each([
  [
    { DROPBP_ORT_DEVICE: 'tpu' },
    'DROPBP_ORT_DEVICE is not usable; got "tpu"; expected node-cpu or queue or node-webgpu.',
  ],
  [{ DROPBP_THREADS: 'all' }, 'DROPBP_THREADS is not usable; got "all"; expected an integer ≥ 1.'],
])('refuses what it cannot have when it is used: %j', (environment, message) => {
  const device = nodeDevice(environment);
  expect(() => device.upload(Float32Array.of(1), [1], 'float32')).toThrow(`[@dropbp/tfjs-backend-ort] ${message}`);
  device.trim();
  expect(device.memory()).toEqual({ usedBytes: 0, idleBytes: 0, sessions: 0 });
});
