import { describe, expect, it } from 'vitest';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import type { Device, Handle } from '../device.ts';
import { nodeDevice } from './nodeDevice.ts';

const value = (name: string) => ({ name, shape: [2], dtype: 'float32' }) as const;

const model = (op: string): OnnxModel => ({
  name: op,
  nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes: {}, domain: '' }],
  inputs: [value('x')],
  outputs: [value('y')],
  constants: [],
  values: new Map(),
});

function run(device: Device, session: object, x: Handle): Handle {
  const y = device.alloc([2], 'float32');
  device.run(session, { x: { handle: x, dims: x.dims } }, { y });
  return y;
}

describe('queue', () => {
  const device = nodeDevice({ DROPBP_ORT_DEVICE: 'queue', DROPBP_THREADS: '1' });
  const x = device.upload(Float32Array.of(1, -2), [2], 'float32');

  it('runs in the order of the calls, before anything is read', async () => {
    const negate = device.load(model('Neg'));
    const y = run(device, negate, run(device, negate, run(device, negate, x)));
    device.unload(negate);
    expect([...(await device.read(y))]).toEqual([-1, 2]);
  });
  it('hands the error of a run to those who read what follows from it, and to nobody else', async () => {
    const broken = device.load(model('NoSuchOperation'));
    const negate = device.load(model('Neg'));
    const lost = run(device, negate, run(device, broken, x));
    const good = run(device, negate, x);
    await expect(device.read(lost)).rejects.toThrow('NoSuchOperation');
    expect([...(await device.read(good))]).toEqual([-1, 2]);
  });
  it('counts what is in use', () => {
    const before = device.memory().usedBytes;
    const y = run(device, device.load(model('Abs')), x);
    expect(device.memory().usedBytes).toBe(before + 8);
    device.free(y);
    device.free(x);
    expect(device.memory().usedBytes).toBe(before);
  });
});
