import { describe, expect, it } from 'vitest';
import { expectInstalled, mpiKinds } from './mpiKinds.ts';
import { reports, runRanks } from './runRanks.ts';

expectInstalled();

interface Report {
  readonly rank: number;
  readonly localSize: number;
  readonly version: string;
  readonly wrong: readonly string[];
  readonly turns: number;
  readonly calls: number;
  readonly reducedBytes: number;
  readonly broadcastBytes: number;
  readonly after: string;
  readonly bits: string;
}

const versions = { 'Open MPI': /^Open MPI v5/, MPICH: /^MPICH 4/, 'MPI 5 ABI': /^MPICH 5/ };

describe.each(mpiKinds)('$name', kind => {
  it.each([
    { ranks: 1, bucketBytes: 4096 },
    { ranks: 2, bucketBytes: 4096 },
    { ranks: 2, bucketBytes: 2 ** 25 },
    { ranks: 3, bucketBytes: 2 ** 14 },
    { ranks: 4, bucketBytes: 4096 },
  ])('gives every value to every rank: $ranks ranks, buckets of $bucketBytes bytes', async ({ ranks, bucketBytes }) => {
    const outcome = await runRanks(kind, 'collectives', { ranks, args: [String(bucketBytes)] });
    expect(outcome.errors).toBe('');
    const found = reports<Report>(outcome).sort((a, b) => a.rank - b.rank);
    expect(found.map(({ rank }) => rank)).toEqual(Array.from({ length: ranks }, (_, rank) => rank));
    for (const { rank, wrong, localSize, version, bits, turns, after, ...traffic } of found) {
      expect(wrong).toEqual([]);
      expect(localSize).toBe(ranks);
      expect(version).toMatch(versions[kind.name]);
      expect(bits).toBe(found[0]!.bits);
      if (rank === 0 && ranks > 1) expect(turns).toBeGreaterThan(10);
      expect(after).toContain('barrier was called after close');
      const reduced = 104_081 + 54_321 + 3 * 800 + 12 * 3000;
      expect(traffic).toEqual({
        size: ranks,
        calls: 9 + 1 + 3 + 2 * ranks + 12 + 1,
        reducedBytes: 4 * reduced,
        broadcastBytes: ranks * (5003 + 4 * 3000),
      });
    }
    expect(outcome).toMatchObject({ code: 0, survivors: [] });
  });
});
