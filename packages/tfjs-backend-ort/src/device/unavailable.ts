import type { Device } from './device.ts';

/**
 * A device that was asked for by name and cannot be had: whatever is to be computed on it fails with the reason. Were the backend to
 * fail when it starts, tfjs would print a warning and take another one.
 */
export function unavailable(name: string, reason: unknown): Device {
  const refuse = (): never => {
    throw reason;
  };
  return {
    name,
    holdsPacked: false,
    runsLoops: false,
    load: refuse,
    unload: () => undefined,
    upload: refuse,
    alloc: refuse,
    run: refuse,
    read: refuse,
    free: () => undefined,
    trim: () => undefined,
    memory: () => ({ usedBytes: 0, idleBytes: 0, sessions: 0 }),
  };
}
