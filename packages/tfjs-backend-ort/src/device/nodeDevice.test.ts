import { expect, it } from 'vitest';
import { nodeDevice } from './nodeDevice.ts';

it('is the one that the environment names', () => {
  expect(nodeDevice({}).name).toBe('node-cpu');
  expect(nodeDevice({ DROPBP_ORT_DEVICE: 'queue', DROPBP_THREADS: '1' }).name).toBe('queue');
  expect(() => nodeDevice({ DROPBP_ORT_DEVICE: 'tpu' })).toThrow(
    '[@dropbp/tfjs-backend-ort] DROPBP_ORT_DEVICE is not usable; got "tpu"; expected node-cpu or queue.',
  );
  expect(() => nodeDevice({ DROPBP_THREADS: 'all' })).toThrow(
    'DROPBP_THREADS is not usable; got "all"; expected an integer ≥ 1.',
  );
});
