import type { Comm } from '../src/index.ts';

/** A rank among others of this process. */
export interface LocalComm extends Comm {
  /** How many values each call of `allReduceSum` was given so far. */
  readonly reduced: readonly number[];
}

interface Call {
  readonly name: string;
  readonly buffer: Uint8Array | Float32Array;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The ranks of a run that all live in this process. What they do together is checked as MPI would: same calls, same lengths. */
export function localComm(size: number): LocalComm[] {
  let waiting = new Map<number, Call>();
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting = new Map();
  };
  const meet = (rank: number, name: string, buffer: Uint8Array | Float32Array, act: (all: Call[]) => void) =>
    new Promise<void>((resolve, reject) => {
      if (waiting.has(rank)) end(new Error(`rank ${rank}: two calls at once`));
      if (ended !== undefined) {
        reject(ended);
        return;
      }
      waiting.set(rank, { name, buffer, resolve, reject });
      if (waiting.size < size) return;
      const all = Array.from({ length: size }, (_, of) => waiting.get(of)!);
      const differing = all.find(call => call.name !== name || call.buffer.length !== buffer.length);
      if (differing) {
        end(new Error(`${name} of ${buffer.length} meets ${differing.name} of ${differing.buffer.length}`));
        return;
      }
      waiting = new Map();
      act(all);
      for (const call of all) call.resolve();
    });
  return Array.from({ length: size }, (_, rank) => {
    const reduced: number[] = [];
    return {
      ...{ rank, size, localSize: size, reduced },
      allReduceSum(values) {
        reduced.push(values.length);
        return meet(rank, 'allReduceSum', values, all => {
          const sums = new Float32Array(values.length);
          for (const { buffer } of all) buffer.forEach((value, i) => (sums[i]! += value));
          for (const { buffer } of all) buffer.set(sums);
        });
      },
      broadcast: (bytes, root) =>
        meet(rank, `broadcast from ${root}`, bytes, all => {
          for (const { buffer } of all) buffer.set(all[root]!.buffer);
        }),
      barrier: () => meet(rank, 'barrier', new Uint8Array(), () => undefined),
      abort(code, message) {
        end(new Error(`${code}: ${message}`));
        throw ended!;
      },
      close: () => Promise.resolve(),
    };
  });
}
