import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { chooseBackend, type BackendCandidate } from './chooseBackend.ts';
import { nodeBackends } from './nodeBackends.ts';
import { useBackendFrom } from './useBackendFrom.ts';

const cpu: BackendCandidate = { name: 'cpu', register: () => Promise.resolve() };
const missing: BackendCandidate = {
  name: 'tensorflow',
  register: () => Promise.reject(Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })),
};
const broken: BackendCandidate = { name: 'ort', register: () => Promise.reject(new Error('bad library\nat line 3')) };
const silent: BackendCandidate = { name: 'nothing', register: () => Promise.resolve() };

describe('chooseBackend', () => {
  afterAll(() => tf.setBackend('cpu'));

  it('takes the first that works and says why others do not', async () => {
    expect(await chooseBackend({ candidates: [missing, broken, cpu] })).toEqual({
      name: 'cpu',
      passedOver: [
        { name: 'tensorflow', reason: 'not installed' },
        { name: 'ort', reason: 'bad library' },
      ],
    });
    expect(tf.getBackend()).toBe('cpu');
  });
  it('takes what is wanted or fails', async () => {
    expect(await chooseBackend({ wanted: 'cpu', candidates: [broken, cpu] })).toEqual({ name: 'cpu', passedOver: [] });
    await expect(chooseBackend({ wanted: 'ort', candidates: [broken, cpu] })).rejects.toThrow(
      `the backend 'ort' does not work here; got "bad library"; name no backend to take one that works.`,
    );
    await expect(
      chooseBackend({ wanted: 'tensorflow', candidates: [{ ...missing, fix: nodeBackends[0]!.fix! }] }),
    ).rejects.toThrow('got "not installed"; install @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node.');
  });
  it('names the backends that there are', async () => {
    await expect(chooseBackend({ wanted: 'wsam', candidates: nodeBackends })).rejects.toThrow(
      "there is no backend 'wsam'; expected tensorflow, ort, wasm, cpu; did you mean wasm",
    );
  });
  it('puts ort before tensorflow without a GPU', () => {
    expect(nodeBackends.map(({ name }) => name)).toEqual(['tensorflow', 'ort', 'tensorflow', 'wasm', 'cpu']);
  });
  it('leaves one that works where something is against it, unless it is asked for', async () => {
    const slow: BackendCandidate = { ...cpu, objection: () => 'no GPU' };
    const better: BackendCandidate = { ...cpu, detail: () => 'on the CPU' };
    expect(await chooseBackend({ candidates: [slow, better] })).toEqual({
      name: 'cpu',
      detail: 'on the CPU',
      passedOver: [{ name: 'cpu', reason: 'no GPU' }],
    });
    expect(await chooseBackend({ wanted: 'cpu', candidates: [slow, better] })).toEqual({ name: 'cpu', passedOver: [] });
  });
  it('takes another one of the name that is wanted', async () => {
    const twin: BackendCandidate = { ...cpu, register: () => Promise.reject(new Error('no driver')) };
    expect(await chooseBackend({ wanted: 'cpu', candidates: [twin, broken, cpu] })).toEqual({
      name: 'cpu',
      passedOver: [{ name: 'cpu', reason: 'no driver' }],
    });
  });
  it('says why a backend does not start', async () => {
    const register = (): Promise<unknown> =>
      Promise.resolve(tf.registerBackend('dead', () => Promise.reject(new Error('no library'))));
    expect(await chooseBackend({ candidates: [{ name: 'dead', register }, cpu] })).toEqual({
      name: 'cpu',
      passedOver: [{ name: 'dead', reason: 'no library' }],
    });
    tf.removeBackend('dead');
  });
  it('fails where none works', async () => {
    await expect(chooseBackend({ candidates: [broken, silent] })).rejects.toThrow(
      /no backend works here; got "ort: bad library; nothing: /,
    );
  });
  it.each(['ort', 'wasm'])('can use %s', async wanted => {
    expect(await chooseBackend({ wanted, candidates: nodeBackends })).toEqual({ name: wanted, passedOver: [] });
    expect(tf.getBackend()).toBe(wanted);
  });
  it('gives the name of the backend, and nothing of how it was found', async () => {
    expect(await useBackendFrom([missing, cpu])()).toBe('cpu');
    expect(await useBackendFrom(nodeBackends)('ort')).toBe('ort');
    await expect(useBackendFrom(nodeBackends)('gpu')).rejects.toThrow("there is no backend 'gpu'");
  });
});
