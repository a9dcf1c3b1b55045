import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { soloComm } from '@dropbp/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeFlags } from '../src/flags/parseFlags.ts';
import { bestHeldOut, heldOutFault } from '../src/record/heldOutCourse.ts';
import { prepareRun } from '../src/commands/train/preparedRun.ts';
import { openRunFolder } from '../src/runFolder/runFolder.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { trainFlags } from '../src/flags/tables/trainFlags.ts';
import { trainRun } from '../src/commands/train/trainRun.ts';
import { renderText } from '../src/terminal/paint.ts';
import { statusLine } from '../src/terminal/statusLine.ts';
import type { Interrupt } from '../src/terminal/terminal.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { runDropbp } from './runDropbp.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const flags = ['--steps', '10', '--time', '16', '--batch', '2', '--sample-tokens', '4', '--evaluations', '5'];
const fast = [...flags, '--learning-rate', '0.02', '--dropout', '0.1', '--save-every', '3', '--rate', '0.5'];

const train = (out: string, more: string[], interruptAt?: string) =>
  runDropbp(['train', '--model', at('model'), '--data', at('text.txt'), '--out', at(out), ...more], interruptAt);

const record = (out: string) => JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord;
const weights = (out: string) => readFileSync(at(`${out}/adapter/adapter_model.safetensors`));
const course = (out: string) => {
  const { steps, heldOut, samples, branches, ended } = record(out);
  return {
    steps: steps.map(({ step, loss, dropped }) => ({ step, loss, dropped })),
    heldOut,
    samples,
    branches,
    ended,
  };
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-resume-'));
  await writeTinyModel(at('model'));
  writeFileSync(at('text.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(60));
  expect(await train('whole', fast)).toMatchObject({ code: 0, notes: expect.stringContaining('10/10') as string });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('a run that Ctrl-C stops', () => {
  it('finishes its step, says how to go on, and goes on as if nothing had been', async () => {
    const stopped = await train('run', fast, ' 4/10 ');
    expect(stopped).toMatchObject({ code: 130, out: '', isListening: false });
    expect(stopped.notes).toContain(' 4/10 ');
    expect(stopped.notes).not.toContain(' 5/10 ');
    expect(stopped.notes).toContain('Finishing this step; Ctrl-C again ends at once\n');
    expect(stopped.notes).toMatch(
      new RegExp(
        `Stopped after step 4, with all that is needed to go on:\n {2}dropbp train --resume --out ${at('run')}\n$`,
      ),
    );
    expect(existsSync(at('run/adapter'))).toBe(false);
    expect(existsSync(at('run/run.json'))).toBe(false);
    expect(readFileSync(at('run/report.html'), 'utf8')).toContain('stopped after step 4');

    const again = await train('run', fast);
    expect(again.code).toBe(2);
    expect(again.notes).toContain('the run there was stopped after step 4: give --resume to go on with it');

    const resumed = await runDropbp(['train', '--resume', '--out', at('run'), '--json']);
    expect(resumed.notes).toContain('Going on after step 4\n');
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.out)).toMatchObject({ steps: 10, ended: { why: 'steps' } });
    expect(course('run')).toEqual(course('whole'));
    expect(weights('run').equals(weights('whole'))).toBe(true);
    expect(readdirSync(at('run/tensorboard'))).toHaveLength(2);
  });
  it('before its first step has trained nothing, and begins again', async () => {
    const stopped = await train('unbegun', fast, '');
    expect(stopped).toMatchObject({ code: 130, out: '', isListening: false });
    expect(stopped.notes).toContain(
      `Stopped before the first step: nothing was trained. To begin again:\n  dropbp train --resume --out ${at('unbegun')}\n`,
    );
    expect(existsSync(at('unbegun/adapter'))).toBe(false);
    expect(existsSync(at('unbegun/run.json'))).toBe(false);
    expect(await runDropbp(['train', '--resume', '--out', at('unbegun')])).toMatchObject({ code: 0 });
    expect(course('unbegun')).toEqual(course('whole'));
  });
  it('before its first checkpoint begins again', async () => {
    await train('early', fast, ' 1/10 ');
    rmSync(at('early/checkpoints'), { recursive: true });
    expect(await runDropbp(['train', '--resume', '--out', at('early')])).toMatchObject({ code: 0 });
    expect(course('early')).toEqual(course('whole'));
  });
  it('that is over is what it was, without what a kill left there', async () => {
    const [before, adapter] = [course('whole'), weights('whole')];
    const leftover = '.adapter_model.safetensors.01234567-89ab-cdef-0123-456789abcdef.tmp';
    writeFileSync(at(`whole/adapter/${leftover}`), 'half');
    expect(await runDropbp(['train', '--resume', '--out', at('whole')])).toMatchObject({ code: 0 });
    expect(course('whole')).toEqual(before);
    expect(weights('whole').equals(adapter)).toBe(true);
    expect(readdirSync(at('whole/adapter')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });
  it('whose checkpoints are gone keeps its adapter', async () => {
    expect(await train('bare', [...fast, '--keep', 'last'])).toMatchObject({ code: 0 });
    rmSync(at('bare/checkpoints'), { recursive: true });
    const adapter = weights('bare');
    const resumed = await runDropbp(['train', '--resume', '--out', at('bare')]);
    expect(resumed.code).toBe(2);
    expect(resumed.notes).toContain(
      `--resume finds no checkpoint in ${at('bare')} to go on from, and beginning again would remove what was trained there; got "adapter"`,
    );
    expect(weights('bare').equals(adapter)).toBe(true);
    expect(record('bare').ended).toEqual({ why: 'steps', keptStep: 10 });
  });
  it('while it writes a text sample has not come to its end', async () => {
    const given = { model: at('model'), data: [at('text.txt')], out: at('sampling'), steps: 4, time: 16, batch: 2 };
    const flags = completeFlags(trainFlags, new Map<string, unknown>(Object.entries(given)));
    const terminal = fakeTerminal();
    const run = await prepareRun(flags, '', statusLine(terminal));
    const folder = await openRunFolder(at('sampling'), flags);
    await folder.begin({ startedAt: '', flags: { model: at('model') } });
    const stopping = new AbortController();
    const notes: typeof terminal.notes = text => {
      if (renderText(text).startsWith('step 1: held-out loss')) stopping.abort();
    };
    const { ended } = await trainRun(run, {
      ...{
        folder,
        lossBefore: undefined,
        comm: soloComm(),
        terminal: { ...terminal, notes },
        interruption: stopping,
        backend: '',
        startedAt: '',
      },
      onUnderWay: () => Promise.resolve(),
    });
    expect(ended).toEqual({ why: 'stop', keptStep: 1 });
    expect(existsSync(at('sampling/adapter'))).toBe(false);
  });
  it('ends at once at the second Ctrl-C', async () => {
    const { listenForInterruption } = await import('../src/terminal/interruption.ts');
    let listener: ((signal: Interrupt) => void) | undefined;
    const terminal = fakeTerminal({ onInterrupt: given => ((listener = given), () => undefined) });
    const codes: unknown[] = [];
    const interruption = listenForInterruption(terminal, 'Wait', code => void codes.push(code) as never);
    expect([interruption.signal.aborted, interruption.exitCode()]).toEqual([false, undefined]);
    listener!('SIGTERM');
    expect([interruption.signal.aborted, interruption.exitCode(), codes]).toEqual([true, 143, []]);
    listener!('SIGINT');
    expect(codes).toEqual([143]);
    expect(terminal.written.notes).toBe('Wait\n');
  });
});

describe('the flags of a run', () => {
  it('are those that it began with when it goes on, regular expressions too', async () => {
    const some = ['--target-modules', '/.*\\.(q|v)_proj/', '--exclude-modules', 'layers.0.self_attn.q_proj'];
    await train('some', [...fast, ...some], ' 4/10 ');
    expect(await runDropbp(['train', '--resume', '--out', at('some')])).toMatchObject({ code: 0 });
    expect(record('some').options).toMatchObject({
      targetModules: '.*\\.(q|v)_proj',
      excludeModules: ['layers.0.self_attn.q_proj'],
    });
    expect(record('some').steps).toHaveLength(10);
  });
  it('come from a file, and the line wins', async () => {
    const config = {
      model: at('model'),
      data: at('text.txt'),
      steps: 99,
      time: 16,
      batch: 2,
      sampleTokens: 0,
      rate: 0,
    };
    writeFileSync(at('run.json'), JSON.stringify({ ...config, targets: ['q_proj'], out: at('configured') }));
    const result = await runDropbp(['train', '--config', at('run.json'), '--steps', '2']);
    expect(result).toMatchObject({ code: 0 });
    expect(record('configured').options).toMatchObject({ steps: 2, batch: 2, targetModules: ['q_proj'], rank: 8 });
    writeFileSync(at('wrong.yaml'), 'rank: 3\nlearningrate: 1\n');
    expect(await runDropbp(['train', '--config', at('wrong.yaml')])).toMatchObject({
      code: 2,
      notes: expect.stringContaining(
        `dropbp train: ${at('wrong.yaml')} has the key 'learningrate', which nothing reads; did you mean learningRate`,
      ) as string,
    });
    expect(await runDropbp(['train', '--config', at('none.yaml')])).toMatchObject({ code: 2 });
    expect((await runDropbp(['train', '--resume', '--out', at('nowhere')])).notes).toBe(
      `dropbp train: there is no run in ${at('nowhere')} to go on with; look at --out, or give --model and --data to begin one there.\n`,
    );
    writeFileSync(at('nested.yaml'), 'config: run.json\n');
    expect((await runDropbp(['train', '--config', at('nested.yaml')])).notes).toContain(
      `${at('nested.yaml')} names another configuration file; got "run.json"; put the flags of both into one.`,
    );
  });
  it('give way to those that say the same otherwise', async () => {
    const long = ['--epochs', '9', ...fast.slice(2)];
    expect(await train('epochs', long, ' loss ')).toMatchObject({ code: 130 });
    expect(await runDropbp(['train', '--resume', '--out', at('epochs'), '--steps', '3'])).toMatchObject({ code: 0 });
    expect(record('epochs').steps).toHaveLength(3);
  });
  it('that would change what a run is are refused when it goes on', async () => {
    await train('changed', fast, ' 4/10 ');
    const resume = (...more: string[]) => runDropbp(['train', '--resume', '--out', at('changed'), ...more]);
    expect((await resume('--seed', '3')).notes).toMatch(/was made with another (rate|seed)/);
    expect((await resume('--rank', '4')).notes).toMatch(/does not fit: its '.*' has the shape/);
    expect((await resume('--overwrite')).notes).toContain('--overwrite and --resume say different things');
    expect((await resume('--learning-rate', '0.01')).notes).toContain(
      'was made with another --learning-rate; got 0.01; expected 0.02; go on with that one, begin a new run in another directory, or take the new on purpose by --accept-changes learningRate.',
    );
    expect(await resume('--learning-rate', '0.01', '--accept-changes', 'lr')).toMatchObject({ code: 0 });
    expect(record('changed').steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('which step is kept', () => {
  it('is that of the best held-out loss, unless the last is wanted', async () => {
    // So fast that the loss rises again after its fourth step.
    const hasty = [...flags.slice(0, -1), '10', '--warmup', '0', '--learning-rate', '0.1', '--schedule', 'constant'];
    const best = await train('best', [...hasty, '--patience', '2']);
    expect(best.notes).toContain('Ended after step 6: the held-out loss has not fallen for 2 evaluations\n');
    expect(best.notes).toContain(
      'The adapter is that of step 4, of the best held-out loss; --keep last takes the last\n',
    );
    expect(best.notes).toMatch(/\nbefore training: held-out loss (\d\.\d{3})\nbefore training: writes .*\n/);
    expect(best.notes).toMatch(/\nstep 1: held-out loss \d\.\d{3}, \d\.\d{3} before training\nstep 1: writes .*\n/);
    expect(record('best').ended).toEqual({ why: 'patience', keptStep: 4 });
    const last = await train('last', [...hasty, '--patience', '2', '--keep', 'last']);
    expect(last).toMatchObject({ code: 0 });
    expect(record('last').ended).toEqual({ why: 'patience', keptStep: 6 });
    expect(weights('last').equals(weights('best'))).toBe(false);
    expect(await train('first', ['--steps', '4', ...hasty.slice(2)])).toMatchObject({ code: 0 });
    expect(weights('first').equals(weights('best'))).toBe(true);
  });
  it('is none for its held-out loss where that never fell, which is said, also by a run that goes on', async () => {
    // So little that the loss stays as it is, and the adapter does not.
    const still = [...flags.slice(0, -1), '10', '--warmup', '0', '--learning-rate', '1e-30', '--save-every', '1'];
    await train('still', [...still, '--patience', '4'], ' 2/10 ');
    const { code, notes } = await runDropbp(['train', '--resume', '--out', at('still')]);
    expect(code).toBe(0);
    expect(notes).toContain('Ended after step 4: the held-out loss has not fallen for 4 evaluations\n');
    expect(notes).toMatch(
      /Training did not lower the held-out loss: (\d\.\d+) at best, \1 before training\. The adapter is that of the last step, and no better than the model without it\. Try a lower --learning-rate, fewer --epochs, or more data\.\n/,
    );
    expect(record('still').ended).toEqual({ why: 'patience', keptStep: 4 });
    expect(readFileSync(at('still/report.html'), 'utf8')).toContain('training did not lower the held-out loss');
  });
});

describe('heldOutFault', () => {
  const faultOf = (...losses: number[]) => heldOutFault({ heldOut: losses.map((loss, i) => ({ step: i * 10, loss })) });
  it.each([
    [[2, 1.5, 1.2], undefined],
    [[2, 1.5, 1.505], undefined],
    [[2, 1.5, 1.6], { kind: 'overfit', best: { step: 10, loss: 1.5 }, last: { step: 20, loss: 1.6 } }],
    [[2, 1.5, 3], { kind: 'overfit', best: { step: 10, loss: 1.5 }, last: { step: 20, loss: 3 } }],
    [[2, 2.5, 2.3], { kind: 'worse', before: 2, lowest: 2.3 }],
    [[2], undefined],
    [[], undefined],
  ])('%j', (losses, fault) => {
    expect(faultOf(...losses)).toEqual(fault);
  });
  it('is of no kind where nothing was measured before training', () => {
    expect(heldOutFault({ heldOut: [{ step: 10, loss: 3 }] })).toBeUndefined();
    expect(bestHeldOut([{ step: 10, loss: 3 }])).toEqual({ step: 10, loss: 3 });
    expect(bestHeldOut([{ step: 0, loss: 2 }, { step: 10, loss: 3 }])).toBeUndefined(); // prettier-ignore
  });
});
