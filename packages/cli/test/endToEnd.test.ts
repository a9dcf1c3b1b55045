import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import type { RunRecord } from '../src/record/runRecord.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
let model: string;
let data: string;
const at = (name: string): string => join(folder, name);

async function dropbp(...args: string[]): Promise<{ code: number; out: string; notes: string }> {
  const terminal = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
  return { code, ...terminal.written };
}

/** Short training; further flags come last and win nothing: each flag is given once. */
function train(out: string, ...flags: string[]) {
  return dropbp('train', '--model', model, '--data', data, '--out', at(out), ...flags);
}

const quick = ['--steps', '12', '--batch', '4', '--time', '16', '--sample-tokens', '8'];
const fast = [...quick, '--learning-rate', '0.02'];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-cli-'));
  model = at('model');
  await writeTinyModel(model);
  data = at('text.txt.gz');
  writeFileSync(data, gzipSync('The quick brown fox jumps over the lazy dog. '.repeat(100)));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('dropbp train, inspect, generate', () => {
  it('trains an adapter, shows it and writes with it', { timeout: 30_000 }, async () => {
    const trained = await train('run', ...fast, '--rate', '0.5');
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.notes).toMatch(/backend: (ort|tensorflow)\n/);
    expect(trained.notes).toContain('LoRA + DropBP 0.5 12/12  loss ');
    expect(trained.out).toContain('Held-out loss after');
    expect(trained.out).toContain(at('run/report.html'));

    expect(readdirSync(at('run')).sort()).toEqual([
      ...['adapter', 'checkpoints', 'log.jsonl', 'options.json', 'report.html', 'run.json', 'tensorboard'],
    ]);
    expect(readdirSync(at('run/adapter')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const record = JSON.parse(readFileSync(at('run/run.json'), 'utf8')) as RunRecord;
    expect(record).toMatchObject({
      ...{ format: 2, name: 'LoRA + DropBP 0.5' },
      options: { rank: 8, time: 16, learningRate: 0.02, seed: 1 },
      model: { architecture: 'llama', parameters: 26_816, trainable: 8192 },
    });
    expect(record.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(record.steps.some(({ dropped }) => dropped > 0)).toBe(true);
    expect(record.heldOut.map(({ step }) => step)).toEqual([0, 3, 6, 9, 12]);
    expect(record.heldOut.at(-1)!.loss).toBeLessThan(record.heldOut[0]!.loss - 0.1);
    expect(record.branches.map(({ path, kind }) => [path, kind])).toEqual([
      ['model.layers.0.self_attn', 'attention'],
      ['model.layers.0.mlp', 'mlp'],
      ['model.layers.1.self_attn', 'attention'],
      ['model.layers.1.mlp', 'mlp'],
    ]);
    expect(record.trainSeconds).toBeGreaterThan(0);
    expect(record.peakMemoryBytes).toBeGreaterThan(50e6);
    expect(record.ended).toEqual({ why: 'steps', keptStep: 12 });
    expect(record.samples!.prompt).toBe('The quick brown fox jumps');
    expect(record.samples!.texts.map(({ step }) => step)).toEqual([0, 3, 6, 9, 12]);
    expect(record.samples!.texts[0]!.text).not.toBe(record.samples!.texts[4]!.text);
    const log = readFileSync(at('run/log.jsonl'), 'utf8').trimEnd().split('\n');
    const events = log.map(line => JSON.parse(line) as { type: string; step: number });
    expect(events.filter(({ type }) => type === 'step').map(({ step }) => step)).toHaveLength(12);
    expect(readdirSync(at('run/checkpoints'))).toEqual(['step-000010', 'step-000012']);
    expect(readFileSync(at('run/report.html'), 'utf8')).toContain('model on text.txt.gz');

    const inspected = await dropbp('inspect', at('run'), '--json');
    expect(JSON.parse(inspected.out)).toMatchObject({
      ...{ kind: 'adapter', method: 'LORA', base: model, rank: 8, alpha: 8, parameters: 8192 },
      targets: ['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'],
    });

    const write = (...flags: string[]) =>
      dropbp('generate', '--prompt', 'The', '--max-new-tokens', '10', '--seed', '2', ...flags);
    const plain = await write('--model', model);
    // Without --model, the adapter knows its base.
    const adapted = await write('--adapter', at('run/adapter'));
    expect([plain.code, adapted.code]).toEqual([0, 0]);
    expect(plain.out.startsWith('The')).toBe(true);
    expect(adapted.out).not.toBe(plain.out);
    const asJson = JSON.parse((await write('--model', model, '--json')).out) as { text: string; tokens: number };
    expect(`The${asJson.text}\n`).toBe(plain.out);
    expect(asJson.tokens).toBeLessThanOrEqual(10);
  });

  it('gives the same run for the same seed', async () => {
    const losses = (out: string): number[] =>
      (JSON.parse(readFileSync(at(`${out}/run.json`), 'utf8')) as RunRecord).steps.map(step => step.loss);
    const flags = ['--steps', '4', '--time', '16', '--batch', '2', '--sample-tokens', '0', '--dropout', '0.2'];
    await train('a', ...flags, '--seed', '5');
    await train('b', ...flags, '--seed', '5');
    await train('c', ...flags, '--seed', '6');
    expect(losses('a')).toEqual(losses('b'));
    expect(losses('a')).not.toEqual(losses('c'));
  });

  it('trains all weights on another backend, without DropBP', async () => {
    const flags = ['--steps', '3', '--batch', '2', '--time', '16', '--sample-tokens', '0', '--held-out', '0'];
    const result = await train('full', ...flags, '--adapter', 'full', '--rate', '0', '--backend', 'cpu', '--json');
    expect(result.code).toBe(0);
    expect(JSON.parse(result.out)).toMatchObject({
      ...{
        name: 'Full fine-tuning',
        backend: 'cpu',
        heldOut: [],
        samples: null,
        steps: 3,
        written: { model: at('full/model') },
      },
    });
    expect(readdirSync(at('full/model')).sort()).toEqual(readdirSync(model).sort());
    const inspected = await dropbp('inspect', at('full'));
    expect(inspected.out).toMatch(/^architecture +llama\n/);
    const text = await dropbp('generate', '--model', at('full/model'), '--prompt', 'a', '--max-new-tokens', '3');
    expect(text.code).toBe(0);
  });

  it('lays several runs over each other', async () => {
    const flags = ['--steps', '2', '--batch', '2', '--time', '16', '--sample-tokens', '0'];
    await train('one', ...flags, '--name', 'first');
    await train('two', ...flags, '--name', 'second', '--no-calibration');
    const { code, out } = await dropbp('report', at('one'), at('two'), '--out', at('both.html'));
    expect(code).toBe(0);
    expect(out).toMatch(/ first +second\n/);
    expect(readFileSync(at('both.html'), 'utf8')).toContain('second');
    expect(readdirSync(folder).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });

  it('lists the tensors of a file', async () => {
    const { out } = await dropbp('inspect', join(model, 'model.safetensors'));
    expect(out).toMatch(/^content +20 tensors, 26,816 values, 105 KiB \(F32\)\nformat +pt\n/);
    expect(out).toMatch(/model\.layers\.1\.self_attn\.q_proj\.weight +F32 +32 × 32 +4\.00 KiB\n/);
  });
});

describe('what is refused', () => {
  it('leaves what is there alone', async () => {
    mkdirSync(at('taken'));
    writeFileSync(at('taken/notes.txt'), 'mine');
    const refusal = await train('taken', ...quick, '--overwrite');
    expect(refusal).toMatchObject({ code: 2, out: '' });
    expect(refusal.notes).toBe(
      `dropbp train: --out ${at('taken')} is not empty; got "notes.txt"; choose another folder.\n`,
    );
    writeFileSync(at('taken/run.json'), '{}');
    const again = await train('taken', ...quick);
    expect(again.notes).toContain('choose another folder, or give --overwrite to replace that run.\n');
    expect(existsSync(at('taken/adapter'))).toBe(false);
    expect((await train('taken', ...quick, '--overwrite')).notes).toContain(
      `${at('taken/run.json')} is in the way, and it is not known that this run wrote it`,
    );
    expect(readFileSync(at('taken/run.json'), 'utf8')).toBe('{}');
    expect(readFileSync(at('taken/notes.txt'), 'utf8')).toBe('mine');
  });

  it('replaces an earlier run only when the new one begins to train', async () => {
    const flags = ['--steps', '2', '--batch', '2', '--time', '16', '--sample-tokens', '0'];
    await train('twice', ...flags);
    const first = readFileSync(at('twice/run.json'), 'utf8');
    expect(await train('twice', ...flags, '--overwrite', '--targets', 'nothing')).toMatchObject({ code: 2 });
    expect(readFileSync(at('twice/run.json'), 'utf8')).toBe(first);
    expect(await train('twice', ...flags, '--overwrite')).toMatchObject({ code: 0 });
    expect(readFileSync(at('twice/run.json'), 'utf8')).not.toBe(first);
    expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
  });

  const someAdapter = (): string => {
    mkdirSync(at('run-of-it/adapter'), { recursive: true });
    writeFileSync(at('run-of-it/run.json'), '{}');
    writeFileSync(at('run-of-it/adapter/adapter_config.json'), '{}');
    return at('run-of-it/adapter');
  };
  const someRun = (): string => join(someAdapter(), '..');
  const refusals: [string, () => Promise<{ code: number; notes: string }>, number, RegExp][] = [
    ['a model that is not there', () => dropbp('generate', '--model', './nowhere/at all', '--prompt', 'a'), 2, /^dropbp generate: there is no such folder; got "\.\/nowhere\/at all"/m],
    ['a text that is not there', () => dropbp('train', '--model', model, '--data', at('no.txt'), '--out', at('x')), 2, /^dropbp train: there is no file .*no\.txt\.$/m],
    ['a text that is too short', async () => {
      writeFileSync(at('short.txt'), 'too short');
      return dropbp('train', '--model', model, '--data', at('short.txt'), '--out', at('x'));
    }, 2, /short\.txt is too short to hold a part of it out; got "one row"; give more, or --held-out 0/],
    ['a target that matches nothing', () => train('x', '--targets', 'q_prj'), 2, /^dropbp train: .*q_prj.*q_proj/m],
    ['targets with a gap', () => train('x', '--targets', 'q_proj,,v_proj'), 2, /--targets is not usable; got "q_proj,,v_proj"/],
    ['a time beyond the positions', () => train('x', '--time', '100'), 2, /100.*64/],
    ['a minimum above the rate', () => train('x', '--rate', '0.2', '--min-rate', '0.4'), 2, /--min-rate is not usable; got 0\.4/],
    ['a backend that is not there', () => train('x', '--backend', 'orc'), 2, /there is no --backend orc; expected tensorflow, ort, wasm, cpu; did you mean ort/],
    ['an adapter that is none', () => dropbp('generate', '--adapter', model, '--prompt', 'a'), 2, /adapter_config\.json/],
    ['a model as the adapter', () => dropbp('generate', '--adapter', model, '--prompt', 'a'), 2, /holds no adapter: it is a model; expected a folder with adapter_config\.json; give it as --model\./],
    ['an adapter as the model', () => dropbp('generate', '--model', someAdapter(), '--prompt', 'a'), 2, /holds no model: it is an adapter; expected .*; give it as --adapter\./],
    ['an adapter to be trained on', () => dropbp('train', '--model', someAdapter(), '--data', data, '--out', at('x')), 2, /holds no model: it is an adapter; .*; give the model that it was trained on\./],
    ['an adapter to plan for', () => dropbp('plan', '--model', someAdapter()), 2, /it is an adapter; .*; give the model that it was trained on\./],
    ['a run as the adapter', () => dropbp('generate', '--adapter', someRun(), '--prompt', 'a'), 2, /holds no adapter: it is a run; .*; give --adapter \S+\/adapter\./],
    ['a run as the model', () => dropbp('evaluate', '--model', someRun(), '--data', data), 2, /holds no model: it is a run; .*; give --adapter \S+\/adapter\./],
    ['a file as the adapter', () => dropbp('generate', '--adapter', data, '--prompt', 'a'), 2, /text\.txt\.gz is a file; expected a folder with adapter_config\.json\./],
    ['a file as the folder', () => dropbp('train', '--model', model, '--data', data, '--out', data), 2, /cannot be written; got "ENOTDIR"; a part of the path is a file: choose another place\./],
    ['no model', () => dropbp('generate', '--prompt', 'a'), 2, /there is no model; give --model, or --adapter\./],
    ['a path that is not there', () => dropbp('inspect', at('nothing')), 2, /there is no such file or folder/],
    ['a folder of something else', () => dropbp('inspect', folder), 2, /holds neither a model nor an adapter/],
    ['a file of something else', () => dropbp('inspect', data), 2, /this is no file that dropbp knows/],
    ['a run that is none', () => dropbp('report', model, '--out', at('x.html')), 2, /run\.json/],
    ['a budget that cannot be met', () => dropbp('plan', '--model', model, '--time-saved', '0.9', '--no-probe'), 2, /expected --time-saved to be at most [^;]+; save less, or train layers/],
    ['too little memory', () => dropbp('plan', '--model', model, '--memory', '1KiB', '--no-probe'), 2, /expected --memory to be at least \d+ MiB; .*pass --checkpointing, with which it takes less, or take shorter sequences or a smaller batch/],
    ['a rate that is too high, by its short name', () => train('x', '--lr', '-1'), 2, /--lr is not usable; got "-1"/],
    ['a misspelt flag', () => train('x', '--rnak', '4'), 2, /^dropbp train: there is no flag --rnak; did you mean --rank/],
    ['a missing flag', () => dropbp('train', '--model', model), 2, /--out <folder> is missing; expected where/],
    ['a value out of range', () => train('x', '--rate', '1'), 2, /--rate is not usable; got "1"; expected a number in \[0, 1\)/],
  ]; // prettier-ignore
  it.each(refusals)('%s', async (_what, attempt, code, message) => {
    const result = await attempt();
    expect(result.notes).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.notes).not.toContain('    at ');
    expect(existsSync(at('x'))).toBe(false);
  });
});

describe('every command', () => {
  it.each(commands.map(({ name }) => name))('%s explains itself', async name => {
    const { code, out } = await dropbp(name, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/Examples?\n {2}dropbp /);
    expect(
      Math.max(
        ...out
          .split('\nExample')[0]!
          .split('\n')
          .map(line => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });
  it('gives exit codes to the shell, in one message without a stack', async () => {
    const run = promisify(execFile);
    const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    const node = ['--import', 'tsx', path('../src/bin.ts')];
    const options = {
      cwd: path('../../..'),
      env: { ...process.env, TSX_TSCONFIG_PATH: path('../../../tsconfig.json') },
    };
    const shell = (...args: string[]) =>
      run(process.execPath, [...node, ...args], options).catch(
        (error: unknown) => error as { code: number; stderr: string },
      );
    expect(await shell('inspect', at('nothing'))).toMatchObject({
      code: 2,
      stderr: `dropbp inspect: there is no such file or folder; got ${JSON.stringify(at('nothing'))}.\n`,
    });
    expect(await shell('train', '--modle', 'x')).toMatchObject({
      code: 2,
      stderr: 'dropbp train: there is no flag --modle; did you mean --model?\n',
    });
  });
});
