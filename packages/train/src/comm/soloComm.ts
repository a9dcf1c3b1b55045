import { problem } from '@dropbp/basics';
import type { Comm } from './comm.ts';

/** A run of one process: rank 0 of 1. Nothing is sent, every call resolves at once. `abort` throws. */
export function soloComm(): Comm {
  const done = Promise.resolve();
  return {
    rank: 0,
    size: 1,
    localSize: 1,
    allReduceSum: () => done,
    broadcast: () => done,
    barrier: () => done,
    abort: (code, message) => {
      throw problem('train', { what: message, got: code });
    },
    close: () => done,
  };
}
