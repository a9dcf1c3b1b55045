import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { commOver, type MpiComm } from '../src/comm/commOver.ts';
import type { MpiLibrary } from '../src/library/mpiLibrary.ts';
import { memoryMpi } from './memoryMpi.ts';

interface Rank {
  readonly comm: MpiComm;
  readonly said: string[];
  readonly codes: number[];
}

function ranks(
  size: number,
  change: (mpi: MpiLibrary) => Partial<MpiLibrary> = () => ({}),
  bucketBytesOf: (rank: number) => number = () => 4096,
): Rank[] {
  return memoryMpi(size).map(mpi => {
    const said: string[] = [];
    const codes: number[] = [];
    const ending = {
      soon: (code: number): Promise<never> => {
        codes.push(code);
        return new Promise<never>(() => undefined);
      },
      now: (): never => {
        throw new Error('not at the end of a process');
      },
    };
    const write = (text: string): void => void said.push(text);
    return {
      comm: commOver(
        { ...mpi, ...change(mpi) },
        { timeoutMs: 5000, bucketBytes: bucketBytesOf(mpi.rank), ending, write },
      ),
      said,
      codes,
    };
  });
}

const onEach = <Result>(all: readonly Rank[], call: (comm: MpiComm) => Promise<Result>): Promise<Result[]> =>
  Promise.all(all.map(({ comm }) => call(comm)));

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('what goes over a Comm', () => {
  it('adds up in buckets, and counts', async () => {
    const sizes: number[] = [];
    const three = ranks(3, mpi => ({
      allReduceSum: values => {
        if (mpi.rank === 0) sizes.push(values.length);
        return mpi.allReduceSum(values);
      },
    }));
    const sums = await onEach(three, async comm => {
      const values = new Float32Array(2500).fill(comm.rank + 1);
      await comm.allReduceSum(values);
      await comm.allReduceSum(new Float32Array(0));
      await comm.barrier();
      return values;
    });
    for (const values of sums) expect(values).toEqual(new Float32Array(2500).fill(6));
    expect(sizes).toEqual([1024, 1024, 452]);
    expect(three[0]!.comm.traffic()).toMatchObject({ calls: 3, reducedBytes: 10_000, broadcastBytes: 0 });
  });

  it('broadcasts bytes and values in place', async () => {
    const got = await onEach(ranks(2), async comm => {
      const bytes = new Uint8Array(5000).fill(comm.rank);
      const values = new Float32Array(3000).fill(comm.rank);
      await comm.broadcast(bytes, 1);
      await comm.broadcast(values.subarray(1), 0);
      return { bytes, values };
    });
    for (const { bytes } of got) expect(bytes).toEqual(new Uint8Array(5000).fill(1));
    expect([...got[1]!.values.subarray(0, 3)]).toEqual([1, 0, 0]);
  });

  it('has one call under way, in the order in which they were asked for', async () => {
    let underWay = 0;
    let most = 0;
    const watched = ranks(2, mpi => ({
      allReduceSum: async values => {
        most = Math.max(most, ++underWay);
        const code = await mpi.allReduceSum(values);
        underWay--;
        return code;
      },
    }));
    const got = await onEach(watched, async comm => {
      const many = [1, 2, 3].map(value => new Float32Array([value]));
      await Promise.all(many.map(values => comm.allReduceSum(values)));
      return many.map(([value]) => value);
    });
    expect(got).toEqual([
      [2, 4, 6],
      [2, 4, 6],
    ]);
    expect(most).toBe(2); // one for each rank
  });

  it('refuses what it cannot send', async () => {
    const [{ comm }] = ranks(1) as [Rank];
    await expect(comm.allReduceSum([1] as never)).rejects.toThrow('expected a Float32Array');
    await expect(comm.broadcast('text' as never, 0)).rejects.toThrow('expected a Uint8Array or Float32Array');
    await expect(comm.broadcast(new Uint8Array(1), 1)).rejects.toThrow(
      'root is not usable; got 1; expected a rank from 0 to 0',
    );
    await comm.barrier();
    await comm.close();
    await comm.close();
    expect(comm.traffic().calls).toBe(1); // close not counted
    await expect(comm.barrier()).rejects.toThrow('barrier was called after close');
  });
});

describe('what ends every rank', () => {
  it('calls that differ, and rank 0 says how; the others leave it the time for that', async () => {
    const three = ranks(3);
    void three[0]!.comm.allReduceSum(new Float32Array(2_000_000));
    void three[1]!.comm.broadcast(new Uint8Array(7), 2);
    void three[2]!.comm.allReduceSum(new Float32Array(2_000_000));
    await vi.advanceTimersByTimeAsync(100);
    expect(three.map(({ codes }) => codes)).toEqual([[76], [], []]);
    expect(three[0]!.said).toEqual([
      'the ranks do not make the same call, as their call 1: ranks 0, 2: allReduceSum of 2,000,000 values; rank 1: broadcast of 7 bytes from rank 2. All ranks end with exit code 76.',
    ]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(three.map(({ codes }) => codes)).toEqual([[76], [76], [76]]);
  });

  it('buckets of different sizes', async () => {
    const two = ranks(2, undefined, rank => 1024 * (rank + 1));
    for (const { comm } of two) void comm.allReduceSum(new Float32Array(10));
    await vi.advanceTimersByTimeAsync(100);
    expect(two[0]!.said[0]).toContain(
      'rank 0: allReduceSum of 10 values in buckets of 1,024 bytes; rank 1: allReduceSum of 10 values in buckets of 2,048 bytes',
    );
  });

  it('a wait of timeoutSeconds, with the call and since when', async () => {
    vi.setSystemTime(new Date('2026-01-02T03:04:05Z'));
    const [waiting] = ranks(2) as [Rank];
    void waiting.comm.allReduceSum(new Float32Array(10));
    await vi.advanceTimersByTimeAsync(4400);
    expect(waiting.codes).toEqual([]);
    await vi.advanceTimersByTimeAsync(700);
    expect(waiting.codes).toEqual([75]);
    expect(waiting.said[0]).toMatch(
      /^rank 0 of 2 \(.*\) has waited for 5 s, since 2026-01-02T03:04:05.000Z, in allReduceSum of 10 values \(call 1\): another rank is gone, stuck or out of reach, or never came to this call\. All ranks end with exit code 75; the last checkpoint resumes\.$/,
    );
  });

  it('not a rank that is late, nor one whose event loop was busy while the call ended', async () => {
    const two = ranks(2);
    const first = two[0]!.comm.barrier();
    await vi.advanceTimersByTimeAsync(4000);
    vi.setSystemTime(Date.now() + 60_000); // No timer came to its turn in that minute.
    await vi.advanceTimersByTimeAsync(500);
    await two[1]!.comm.barrier();
    await first;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(two.map(({ codes }) => codes)).toEqual([[], []]);
  });

  it('a call of MPI that fails, with what MPI says', async () => {
    const two = ranks(2, mpi => ({
      allReduceSum: values => (mpi.rank === 1 ? Promise.resolve(15) : mpi.allReduceSum(values)),
    }));
    for (const { comm } of two) void comm.allReduceSum(new Float32Array(3));
    await vi.advanceTimersByTimeAsync(100);
    expect(two[1]!.codes).toEqual([70]);
    expect(two[1]!.said[0]).toMatch(
      /^MPI_Allreduce failed on rank 1 of 2 \(.*\), in allReduceSum of 3 values \(call 1\), memory: what 15 means\./,
    );
  });

  it('abort, once, with the first reason; what comes after it never resolves', async () => {
    const [{ comm, said, codes }] = ranks(1) as [Rank];
    void comm.abort(9, 'enough');
    void comm.abort(10, 'more than enough');
    let resolved = false;
    void comm.barrier().then(() => (resolved = true));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(codes).toEqual([9]);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^rank 0 of 1 \(.*\) ends all ranks with exit code 9: enough$/);
    expect(resolved).toBe(false);
  });
});
