import type { MpiLibrary } from '../src/library/mpiLibrary.ts';

/** So many ranks in one process: an `MpiLibrary` for each. A call is done when every rank has made it. */
export function memoryMpi(size: number): MpiLibrary[] {
  const meetings: { readonly brought: unknown[]; readonly leave: (() => void)[] }[] = [];
  const calls = new Array<number>(size).fill(0);

  /** Waits for all ranks; the last one sees to the results. */
  const meet = <Brought>(
    rank: number,
    brought: Brought,
    combine: (all: readonly Brought[]) => void,
  ): Promise<number> => {
    const meeting = (meetings[calls[rank]!++] ??= { brought: [], leave: [] });
    meeting.brought[rank] = brought;
    return new Promise(resolve => {
      meeting.leave.push(() => resolve(0));
      if (meeting.leave.length < size) return;
      combine(meeting.brought as Brought[]);
      for (const leave of meeting.leave) leave();
    });
  };
  const onEach = (all: readonly (Float32Array | Int32Array)[], combine: (column: number[]) => number): void => {
    const result = Array.from(all[0]!, (_, i) => combine(all.map(values => values[i]!)));
    for (const values of all) values.set(result);
  };

  return Array.from({ length: size }, (_, rank) => ({
    ...{ version: 'memory', rank, size, localSize: size },
    allReduceSum: values => meet(rank, values, all => onEach(all, column => column.reduce((a, b) => a + b))),
    allReduceMax: numbers => meet(rank, numbers, all => onEach(all, column => Math.max(...column))),
    allGather: (numbers, into) =>
      meet(rank, { numbers, into }, all => {
        for (const one of all) all.forEach((other, i) => one.into.set(other.numbers, i * numbers.length));
      }),
    broadcast: (bytes, root) =>
      meet(rank, bytes, all => {
        for (const one of all) one.set(all[root]!);
      }),
    finalize: () => 0,
    abort: () => undefined,
    abortNow: () => undefined,
    errorText: code => `what ${code} means`,
  }));
}
