import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeTerminal } from '../../test/fakeTerminal.ts';
import { startBackend } from './startBackend.ts';

describe('startBackend', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('takes what the environment names, and says so once', async () => {
    vi.stubEnv('DROPBP_BACKEND', 'cpu');
    const terminal = fakeTerminal();
    expect(await startBackend(undefined, terminal)).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(terminal.written).toEqual({ out: '', notes: 'backend: cpu\n' });
  });
  it('lets the flag win over the environment', async () => {
    vi.stubEnv('DROPBP_BACKEND', 'cpu');
    expect(await startBackend('wasm', fakeTerminal())).toBe('wasm');
  });
  it('chooses where the environment is empty, without a word on what need not be installed', async () => {
    vi.stubEnv('DROPBP_BACKEND', '');
    const terminal = fakeTerminal();
    const name = await startBackend(undefined, terminal);
    expect(['tensorflow', 'ort']).toContain(name);
    expect(terminal.written.notes).toBe(`backend: ${name}\n`);
  });
  it('refuses an unknown name in the environment', async () => {
    vi.stubEnv('DROPBP_BACKEND', 'gpu');
    await expect(startBackend(undefined, fakeTerminal())).rejects.toThrow("there is no backend 'gpu'");
  });
});
