import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { flagName } from '../src/flags/flagName.ts';
import { branchTable } from '../src/report/branchTable.ts';
import { renderText } from '../src/terminal/paint.ts';
import { chooseDropBP } from '../src/drops/chooseDropBP.ts';
import { dropFlags, type DropFlagValues } from '../src/flags/tables/dropFlags.ts';
import type { DryRun } from '../src/commands/train/dryRun.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { chooseRate } from '../src/drops/chooseRate.ts';
import { fakeRun } from './fakeRun.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-flags-'));
  await writeTinyModel(at('model'));
  writeFileSync(at('text.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(60));
});
afterAll(() => rmSync(folder, { recursive: true }));

const train = (out: string, ...flags: string[]) => trainOn('model', out, ...flags);

async function trainOn(
  model: string,
  out: string,
  ...flags: string[]
): Promise<{ code: number; out: string; notes: string }> {
  const terminal = fakeTerminal();
  const shape = ['--steps', '10', '--batch', '2', '--time', '16', '--sample-tokens', '0', '--held-out', '0'];
  const args = ['train', '--model', at(model), '--data', at('text.txt'), '--out', at(out), ...shape, ...flags];
  return { code: await runCommandLine({ commands, version: '0.0.0', args, terminal }), ...terminal.written };
}
const recordOf = (out: string): RunRecord => JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord;

describe('the flags of DropBP', () => {
  const defaults = Object.fromEntries(Object.entries(dropFlags).map(([key, { fallback }]) => [key, fallback]));
  const noModel = { branches: [], architecture: 'none', parameters: new Map() };
  const settled = (flags: Partial<DropFlagValues>, isMost = false) =>
    chooseRate({ ...(defaults as DropFlagValues), ...flags }, () => isMost);
  const optionsOf = async (flags: Partial<DropFlagValues>): Promise<unknown> => {
    const { rate } = settled(flags, true);
    const given = { ...(defaults as DropFlagValues), ...flags, seed: 3, adapter: 'lora', rate };
    return (await chooseDropBP(given, noModel))?.options;
  };

  it('drop half where most of the weights are trained or they ask for it, and nothing elsewhere', () => {
    expect(settled({})).toEqual({ rate: 0, why: 'the default where few of the weights are trained' });
    expect(settled({}, true)).toEqual({ rate: 0.5, why: 'the default where most of the weights are trained' });
    expect(settled({ rate: 0.25 })).toEqual({ rate: 0.25, why: 'as --rate says' });
    expect(settled({ rate: 0 }, true)).toEqual({ rate: 0, why: 'as --rate says' });
    expect(settled({ timeSaved: 0.3, only: 'mlp' })).toEqual({ rate: undefined, why: 'as --time-saved says' });
    expect(settled({ memory: '4GiB' }, true)).toEqual({ rate: undefined, why: 'as --memory says' });
    expect(settled({ dropPrompts: 'auto' })).toEqual(settled({}));
    const asking: Partial<DropFlagValues>[] = [
      ...[{ minRate: 0.1 }, { maxRate: 0.9 }, { allocation: 'depth' as const }, { sampling: 'nested' as const }],
      ...[{ only: 'mlp' as const }, { rescale: true }, { dropRamp: 0.1 }, { dropWarmup: 0.1 }, { noCalibration: true }],
      ...[{ calibrateAt: 0 }, { calibrateEvery: 9 }, { calibrateOn: 2 }, { sensitivities: 'run' }],
    ];
    for (const flags of asking) {
      expect(settled(flags)).toEqual({ rate: 0.5, why: `the default with ${flagName(Object.keys(flags)[0]!)}` });
    }
  });

  it.each<[Partial<DropFlagValues>, object]>([
    [{}, { rate: 0.5, calibration: false, sampling: 'nested', allocation: 'depth', seed: 3 }],
    [{ allocation: 'reference' }, { rate: 0.5, calibration: { at: 0.1 }, sampling: 'reference', seed: 3 }],
    [{ timeSaved: 0.3 }, { timeSaved: 0.3 }],
    [{ rate: 0, dropPrompts: 'auto' }, { rate: 0, dropPrompts: 'auto' }],
    [{ dropPrompts: 'on' }, { rate: 0.5, dropPrompts: true }],
    [{ memory: '2GiB', noCalibration: true }, { memory: 2 ** 31, sampling: 'pivotal', calibration: false }],
    [{ allocation: 'linear', maxRate: 1, minRate: 0.1 }, { allocation: 'linear', maxRate: 1, minRate: 0.1 }],
    [{ rate: 0.7, dropWarmup: 0.1, dropRamp: 0.2, dropFrom: 0.3 }, { rate: 0.7, schedule: { warmup: 0.1, ramp: 0.2, from: 0.3 } }],
    [{ rescale: true, rescaleMax: 8, only: 'mlp', rate: 0.2 }, { rescale: { max: 8 }, only: 'mlp' }],
    [{ calibrateAt: 0, calibrateEvery: 50, calibrateOn: 4 }, { calibration: { at: 0, every: 50, samples: 4 } }],
  ])('%j', async (flags, options) => {
    expect(await optionsOf(flags)).toMatchObject(options);
  }); // prettier-ignore

  it('are refused where they contradict each other or do nothing', async () => {
    await expect(optionsOf({ rate: 0.5, memory: '1GiB' })).rejects.toThrow('rate and memory are given');
    await expect(optionsOf({ rescaleMax: 2 })).rejects.toThrow('--rescale-max has no effect without --rescale');
    await expect(optionsOf({ dropFrom: 0.2 })).rejects.toThrow('--drop-from has no effect without --drop-ramp');
    await expect(optionsOf({ noCalibration: true, calibrateOn: 2 })).rejects.toThrow(
      '--calibrate-on has no effect with --no-calibration',
    );
    await expect(optionsOf({ allocation: 'depth', calibrateEvery: 5 })).rejects.toThrow(
      '--calibrate-every has no effect with --allocation depth, which needs no sensitivities',
    );
    await expect(optionsOf({ timeSaved: 0.2, dropRamp: 0.1 })).rejects.toThrow(
      '--drop-ramp has no effect without --rate',
    );
  });

  it('drop nothing at rate 0, and are read all the same', async () => {
    expect(await optionsOf({ rate: 0 })).toBeUndefined();
    expect(await optionsOf({ rate: 0, allocation: 'minimax', dropRamp: 0.5 })).toBeUndefined();
    expect(await optionsOf({ rate: 0, dropRamp: 0.5, dropFrom: 0.8 })).toMatchObject({
      rate: 0,
      schedule: { from: 0.8 },
    });
    await expect(optionsOf({ rate: 0, rescaleMax: 2 })).rejects.toThrow('--rescale-max has no effect');
    await expect(optionsOf({ rate: 0, sensitivities: at('nowhere') })).rejects.toThrow('nowhere');
    await expect(optionsOf({ rate: 0, minRate: 0.5 })).rejects.toThrow('minRate is not usable; got 0.5');
  });
});

describe('sensitivities', () => {
  it('are kept with a run, for a later one to use from its first step', { timeout: 30_000 }, async () => {
    const first = await train('first', '--allocation', 'reference', '--verbose');
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(
      /\ndrop rate +attention +sensitivity +mlp +sensitivity\n─+\nmodel\.layers\.0 +0\.\d\d +\d\.\de[+-]\d/,
    );
    expect(first.out).toMatch(/\nMeasuring sensitivities +[\d.]+ steps\n/);
    const measured = recordOf('first').branches.map(({ sensitivity }) => sensitivity!);
    expect(measured.every(value => value > 0)).toBe(true);

    expect(await train('second', '--sensitivities', at('first'))).toMatchObject({ code: 0 });
    const second = recordOf('second');
    expect(second.branches.map(({ sensitivity }) => sensitivity)).toEqual(measured);
    expect(second.branches.map(({ dropRate }) => dropRate)).toEqual(recordOf('first').branches.map(({ dropRate }) => dropRate)); // prettier-ignore
    expect(second.steps.some(({ calibrationSeconds }) => calibrationSeconds !== undefined)).toBe(false);
    expect(second.name).toBe('LoRA + DropBP 0.5');
    expect(readFileSync(at('second/report.html'), 'utf8')).toContain('Sensitivity of each branch');

    // A run that measured none, and one of another model.
    expect(await train('third', '--no-calibration', '--rate', '0.25')).toMatchObject({ code: 0 });
    expect((await train('x', '--sensitivities', at('third'))).notes).toContain('got "a run that measured none"');
    writeFileSync(at('other.json'), JSON.stringify(fakeRun()));
    expect((await train('x', '--sensitivities', at('other.json'))).notes).toMatch(/a run of models\/austen-base, a '\w+' of \d+ parameters in 2 branches/); // prettier-ignore
    const otherAdapter = await train('x', '--sensitivities', at('first'), '--adapter', 'ia3');
    expect(otherAdapter.notes).toContain('got "a run with --adapter lora"');
    await writeTinyModel(at('wider'), { width: 96 });
    const wider = await trainOn('wider', 'x', '--sensitivities', at('first'));
    expect(wider.notes).toMatch(/got "a run of \S+model, a '\w+' of \d+ parameters in 4 branches"/);
  });
});

describe('a budget', () => {
  it.each([
    ['--memory', '100MiB'],
    ['--time-saved', '0.9'],
    ['--rate', '0.45', '--only', 'attention'],
  ])('that the run cannot meet is refused before it begins: %s %s', async (...flags) => {
    for (const more of [[], ['--dry-run']]) {
      const { code, notes } = await train('refused', ...flags, ...more);
      expect(code).toBe(2);
      expect(notes).toContain(flags[0] === '--memory' ? 'memory to be at least' : 'at most 0.');
      expect(existsSync(at('refused'))).toBe(false);
    }
  });
  it('is one of the shortest batch, too', async () => {
    const rows = [60, 60, 60, 60, 60, 60, 8, 8].map(length => JSON.stringify({ text: 'ab '.repeat(length) }));
    writeFileSync(at('uneven.jsonl'), rows.join('\n'));
    const started = async (timeSaved: string): Promise<string> => {
      const terminal = fakeTerminal();
      const data = ['--data', at('uneven.jsonl'), '--batch', '1', '--epochs', '1', '--time', '64', '--held-out', '0'];
      const flags = ['--out', at('x'), '--dry-run', '--target-modules', 'q_proj,v_proj', '--time-saved', timeSaved];
      await runCommandLine({ commands, version: '0.0.0', args: ['train', '--model', at('model'), ...data, ...flags], terminal }); // prettier-ignore
      return terminal.written.notes;
    };
    const [, most, time] = /at most (0\.\d+) for this model and adapter, on 1 × (\d+) tokens/.exec(
      await started('0.9'),
    )!;
    const ofShortest = /at most (0\.\d+) .* 1 × (\d+) tokens/.exec(await started(String(Number(most) - 0.001)));
    expect(Number(ofShortest?.[1])).toBeLessThan(Number(most));
    expect(Number(ofShortest?.[2])).toBeLessThan(Number(time));
  });
  it('is solved for a dry run, too', async () => {
    const saved = await train('x', '--time-saved', '0.2', '--dry-run', '--json');
    const { training } = JSON.parse(saved.out) as DryRun;
    expect(training.dropRate).toBeGreaterThan(0.2);
    expect(training.dropRate).toBeLessThan(0.75);
    const roomy = await train('x', '--memory', '4000000000', '--dry-run');
    expect(roomy.out).toContain('DropBP  nothing is dropped');
  });
});

describe('what a run drops', () => {
  const few = ['--target-modules', 'down_proj', '--layers-to-transform', '1'];
  it('is said, and kept with it', { timeout: 30_000 }, async () => {
    const byDepth = await train('deep', '--rate', '0.5');
    expect(byDepth.notes).toContain('DropBP: 50 % of the backward pass is dropped, by depth, as --rate says\n');
    expect(byDepth.out).toMatch(
      /\nDrops save about 2\d % of a step's FLOPs, and a step learns less\. Fewer steps without drops \(--rate 0\) learned more in the same time\.\n/,
    );
    expect(byDepth.out).toMatch(
      /\nDrop rates of 4 branches: 0\.\d\d to \d\.\d\d\. --verbose lists them, and the report draws them\.\n/,
    );
    expect(recordOf('deep').drops).toEqual({ allocation: 'depth', sampling: 'nested' });
    expect(recordOf('deep').costs).toMatchObject({ dropped: 0.5, why: 'as --rate says', trainsMost: false });
    expect(readFileSync(at('deep/report.html'), 'utf8')).toContain('at the end of the run, by depth.');
    const even = await train('even', ...few, '--rate', '0.3', '--verbose');
    expect(even.notes).toContain(
      "30 % of the backward pass is dropped, rates 'reference', draws 'pivotal', as --rate says\n",
    );
    // The one branch is kept in some steps, and the others have no backward pass.
    const { branches, steps } = recordOf('even');
    expect(branches.map(({ leads }) => leads)).toEqual([false, false, false, undefined]);
    expect(steps.filter(({ gradientNorm }) => gradientNorm !== null).length).toBeGreaterThan(3);
    expect(even.out).toMatch(/\nmodel\.layers\.0 +– +– +– +–\n/);
  });
  it('is nothing by default with an adapter, and half with all weights', { timeout: 30_000 }, async () => {
    const dry = async (...flags: string[]): Promise<string> =>
      (await train('x', '--dry-run', ...flags)).out.replaceAll(/\s+/g, ' ');
    expect(await dry()).toMatch(
      /DropBP nothing is dropped, the default where few of the weights are trained\. --rate 0\.5 would save about \d+ % of a step's time\. A step would learn less\./,
    );
    expect(await dry('--adapter', 'full')).toMatch(
      /DropBP 50 % of the backward pass is dropped, by depth, the default where most of the weights are trained\. Drops save about \d+ % of a step's time, and a step learns less\. In short runs, more steps in the time saved more than made up for it\./,
    );
    expect(await dry('--adapter', 'full', '--parts', 'norms')).toContain(
      'DropBP nothing is dropped, the default where',
    );
    expect(await train('plain')).toMatchObject({
      code: 0,
      notes: expect.stringContaining('DropBP: nothing is dropped, the default where few of the weights') as string,
      out: expect.stringMatching(/\n--rate 0\.5 would save about 2\d % of a step's FLOPs\. A step would learn less\.\n/) as string,
    }); // prettier-ignore
    const { costs, length, options, name } = recordOf('plain');
    expect({ costs, length, name }).toMatchObject({
      costs: { dropped: 0, saved: 0, why: 'the default where few of the weights are trained' },
      ...{ length: { why: 'as --steps says' }, name: 'LoRA' },
    });
    expect(options).toMatchObject({ rate: 0 });
  });
  it('is said where it comes to nothing', { timeout: 30_000 }, async () => {
    const none = await train('none', ...few, '--allocation', 'reference', '--rate', '0.3');
    expect(none.notes).toContain('In no step was anything trained, as all of it was dropped: try a lower --rate');
    const short = await train('short', '--allocation', 'minimax', '--calibrate-at', '0.05');
    expect(short.notes).toContain('A run of 10 batches is too short to measure sensitivities');
  });
  it('is held against the memory that was asked for', { timeout: 30_000 }, async () => {
    const { notes } = await train('over', '--memory', '210MiB');
    expect(recordOf('over').drops).toMatchObject({ memory: 210 * 2 ** 20 });
    expect(notes).toMatch(/The process held up to \d+ MiB, more than --memory 210 MiB/);
  });
});

describe('branchTable', () => {
  it('shows a row per block', () => {
    expect(renderText(branchTable(fakeRun().branches)!).split('\n').slice(2)).toEqual([
      'model.layers.0        0.30             –   0.70        1.0e-2',
      '',
    ]);
  });
  it('is nothing where nothing is dropped', () => {
    expect(branchTable([{ path: 'a.b', kind: 'mlp', dropRate: 0 }])).toBeUndefined();
  });
  it('leaves sensitivities out where none were measured', () => {
    const [header] = renderText(branchTable([{ path: 'a.b', kind: 'mlp', dropRate: 0.5 }])!).split('\n');
    expect(header).toBe('drop rate   attention    mlp');
  });
});
