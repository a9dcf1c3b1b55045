import { describe, expect, it } from 'vitest';
import { expectInstalled, mpiKinds, type MpiKind } from './mpiKinds.ts';
import { expectDone, reports, runRanks, type RanksOutcome } from './runRanks.ts';

expectInstalled();

const fault = (kind: MpiKind, name: string, more: readonly string[] = [], ranks = 2): Promise<RanksOutcome> =>
  runRanks(kind, 'faults', { ranks, args: [name, ...more], timeoutMs: 25_000 });

function expectAllGone({ seconds, survivors }: RanksOutcome): void {
  expect(seconds).toBeLessThan(soon);
  expect(survivors).toEqual([]);
}

/** From the start of the launcher to its end: a second or two are the start. */
const soon = 8;

describe.each(mpiKinds)('$name', kind => {
  it.each<{ name: string; more?: string[]; code: number | number[] | 'any'; text: RegExp | undefined; ranks?: number }>(
    [
      { name: 'is killed', code: 'any', text: undefined },
      {
        name: 'exits',
        more: ['0'],
        code: 70,
        text: /rank 1 of 2 ended without close\(\), with exit code 0\. All ranks/,
      },
      {
        name: 'exits',
        more: ['5'],
        code: 5,
        text: /rank 1 of 2 ended without close\(\), with exit code 5\. All ranks/,
      },
      { name: 'throws', code: 1, text: /what a rank threw/ },
      { name: 'ends without close', code: [13, 70], text: /rank 1 of 2 ended without close/ },
      { name: 'closes early', code: 76, text: /their call 4: rank 0: allReduceSum of 1,000 values; rank 1: close\. / },
      {
        name: 'leaves out a call',
        ranks: 3,
        code: 76,
        text: /their call 4: ranks 0, 1: allReduceSum of 1,000 values; rank 2: barrier\. /,
      },
      {
        name: 'brings another length',
        code: 76,
        text: /rank 0: allReduceSum of 1,000 values; rank 1: allReduceSum of 999 values/,
      },
      {
        name: 'hangs',
        code: 75,
        text: /rank 0 of 2 .* has waited for 2 s, since .*, in allReduceSum of 1,000 values \(call 4\)/,
      },
      { name: 'waits for something else', code: 75, text: /rank 0 of 2 .* has waited for 2 s/ },
      { name: 'exits while it waits', code: 3, text: /rank 1 of 2 ended without close\(\), with exit code 3/ },
      { name: 'aborts', code: 9, text: /rank 1 of 2 .* ends all ranks with exit code 9: the loss is not finite/ },
    ],
  )('a rank that $name $more ends all', async ({ name, more, code, text, ranks }) => {
    const outcome = await fault(kind, name, more, ranks);
    const isTold = kind.tellsOfDeath || !/^(is killed|exits)/.test(name);
    if (text !== undefined && isTold) expect(outcome.errors).toMatch(text);
    expect(reports<{ closed?: boolean }>(outcome).some(({ closed }) => closed)).toBe(false);
    expectAllGone(outcome);
    if (!isTold) return;
    if (code === 'any') expect(outcome.code).not.toBe(0);
    else expect([code].flat()).toContain(outcome.code);
    expect(outcome.code).not.toBeNull();
  });

  it('a call of MPI that fails ends all, with what MPI says', async () => {
    const outcome = await runRanks(kind, 'failingCall');
    expect(outcome.errors).toMatch(
      /MPI_Bcast failed on rank [01] of 2 \(.*\), in broadcast of 10 bytes from rank 0 \(call 1\), .*: [^]*(MPI_ERR_ROOT|[Ii]nvalid root)/,
    );
    expect(outcome).toMatchObject({ code: 70, survivors: [] });
  });

  it('a trap of WebAssembly is an error as ever', async () => {
    const outcome = await fault(kind, 'wasm trap');
    const traps = reports<{ trapped?: boolean; text?: string }>(outcome).filter(report => 'trapped' in report);
    expect(traps).toHaveLength(2);
    for (const { trapped, text } of traps) {
      expect(trapped).toBe(true);
      expect(text).toContain('memory access out of bounds');
    }
    expect(outcome).toMatchObject({ code: 0, survivors: [] });
  });

  it('a child of a rank is told that it is none, and knows by a clean environment', async () => {
    const outcome = await fault(kind, 'has a child');
    const children = reports<{ launched?: boolean; refused?: string }>(outcome).filter(report => 'launched' in report);
    expect(children.map(({ launched }) => launched)).toEqual([false, false]);
    expect(children[0]!.refused).toContain('this process is the child of a rank, and no rank itself');
    expect(children[1]!.refused).toContain('no launcher of MPI has started this process');
    expect(outcome).toMatchObject({ code: 0, survivors: [] });
  });

  it('a child with a clean environment starts ranks of its own', async () => {
    const outcome = await fault(kind, 'starts ranks of its own', [JSON.stringify(kind.launcher)]);
    expect(reports<{ closed?: boolean }>(outcome).filter(({ closed }) => closed)).toHaveLength(4);
    expect(outcome).toMatchObject({ code: 0, survivors: [] });
  });

  it('a heap that cannot grow stays whole: the hooks of UCX are not there', async () => {
    const outcome = await runRanks(kind, 'heap');
    expectDone(outcome);
    expect(reports(outcome)).toEqual([{ allocated: 200 }, { allocated: 200 }]);
  });

  it('a launcher that is told to end takes all ranks with it', async () => {
    const outcome = await runRanks(kind, 'faults', {
      args: ['waits for something else'],
      timeoutMs: 25_000,
      meanwhile: async ({ output, launcher, until }) => {
        await until(() => output().split('sum').length === 3);
        launcher.kill('SIGTERM');
      },
    });
    expect(outcome.errors).not.toContain('has waited');
    expect(outcome.survivors).toEqual([]);
    expect(outcome.seconds).toBeLessThan(soon);
    if (kind.tellsOfDeath) expect(outcome.code).not.toBe(0);
  });
});
