import { describe, expect, it } from 'vitest';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { type BindingTensor, checkedBinding, type NativeBinding, ortBinding } from './ortBinding.ts';

const model: OnnxModel = {
  name: 'double',
  nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'], attributes: {}, domain: '' }],
  inputs: [{ name: 'x', shape: [2], dtype: 'float32' }],
  outputs: [{ name: 'y', shape: [2], dtype: 'float32' }],
  constants: [],
  values: new Map(),
};

const tensor = (...data: number[]): BindingTensor => ({
  type: 'float32',
  dims: [data.length],
  data: Float32Array.from(data),
  location: 'cpu',
});

/** A native binding that plays another version: its sessions double x into y. */
function playedBinding(
  run: (x: BindingTensor, y: BindingTensor) => Record<string, { data: Float32Array }> | Promise<object>,
): NativeBinding {
  return {
    initOrtOnce: () => undefined,
    InferenceSession: class {
      loadModel(): void {
        // Every model is the one above.
      }
      dispose(): void {
        // Nothing is held.
      }
      run(feeds: Record<string, BindingTensor>, fetches: Record<string, BindingTensor | null>): never {
        return run(feeds.x!, fetches.y!) as never;
      }
    },
  };
}

const doubled = (x: BindingTensor): Float32Array => Float32Array.from(x.data, value => 2 * value);

function runDouble(binding: ReturnType<typeof checkedBinding>): number[] {
  const session = binding.load(model, {});
  const y = tensor(0, 0);
  session.run({ x: tensor(3, -4) }, { y });
  session.dispose();
  return [...y.data];
}

describe('ortBinding', () => {
  it('writes outputs in place and copies nothing', () => {
    expect(ortBinding().outputs).toBe('direct');
    expect(runDouble(ortBinding())).toEqual([6, -8]);
  });
  it('lets the errors of a run through', () => {
    const session = ortBinding().load(model, {});
    expect(() => session.run({ x: tensor(1, 2, 3) }, { y: tensor(0, 0) })).toThrow(/Got: 3 Expected: 2/);
  });
  it('works with a binding that copies outputs as well', () => {
    const binding = checkedBinding(
      playedBinding((x, y) => {
        y.data.set(doubled(x));
        return { y: { data: doubled(x) } };
      }),
    );
    expect(binding.outputs).toBe('doubled');
    expect(runDouble(binding)).toEqual([6, -8]);
  });
  it('copies outputs from a binding that does not write them in place', () => {
    const binding = checkedBinding(playedBinding(x => ({ y: { data: doubled(x) } })));
    expect(binding.outputs).toBe('copied');
    expect(runDouble(binding)).toEqual([6, -8]);
  });
  it('refuses a binding that runs asynchronously', () => {
    const asynchronous = playedBinding(() => Promise.resolve({}));
    expect(() => checkedBinding(asynchronous)).toThrow(
      '[@dropbp/tfjs-backend-ort] this onnxruntime-node runs sessions asynchronously; expected version 1.30.0, whose native run is synchronous; install onnxruntime-node 1.30.0, or set DROPBP_ORT_DEVICE=queue, which waits for it.',
    );
  });
});
