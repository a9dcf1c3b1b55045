import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readAdapter } from '@dropbp/compose';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

const start = process.cwd();
let folder: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dropbp-from-')));
  process.chdir(folder);
  await writeTinyModel('base');
  writeFileSync('words.txt', 'In the beginning was the word, and the word was with all of us.\n'.repeat(40));
  const made = await train('--model', 'base', '--out', 'first', '--rank', '2', '--alpha', '6', '--target-modules', 'q_proj,v_proj'); // prettier-ignore
  expect(made.code, made.notes).toBe(0);
});
afterEach(() => rmSync('second', { recursive: true, force: true }));
afterAll(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

async function train(...flags: string[]) {
  const terminal = fakeTerminal();
  const fixed = ['--data', 'words.txt', '--time', '16', '--batch', '2', '--sample-tokens', '0', '--evaluations', '1'];
  const args = ['train', ...fixed, '--backend', 'cpu', '--steps', '2', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

interface Record {
  readonly options: { readonly rank: number; readonly alpha: number; readonly adapter: string; readonly from: string };
  readonly model: { readonly source: string };
  readonly heldOut: readonly { readonly loss: number }[];
}
const recordOf = (run: string): Record => JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as Record;
const configOf = (run: string): Record['options'] =>
  JSON.parse(readFileSync(join(run, 'adapter/adapter_config.json'), 'utf8')) as Record['options'];

describe('dropbp train --from', () => {
  it('goes on from an adapter with its method, options and base', async () => {
    const { code, notes } = await train('--from', 'first/adapter', '--out', 'second', '--keep', 'last');
    expect(code, notes).toBe(0);
    const [before, after] = [recordOf('first'), recordOf('second')];
    expect(after.options).toMatchObject({ adapter: 'lora', rank: 2, alpha: 6, from: 'first/adapter' });
    expect(after.model.source).toBe(before.model.source);
    expect(configOf('second')).toEqual(configOf('first'));
    // It starts with the loss that the first run ended with, and moves on from its values.
    expect(after.heldOut[0]!.loss).toBeCloseTo(before.heldOut.at(-1)!.loss, 5);
    const [first, second] = await Promise.all([readAdapter('first/adapter'), readAdapter('second/adapter')]);
    expect([...second.tensors.keys()]).toEqual([...first.tensors.keys()]);
    for (const [name, { data }] of second.tensors) expect(data, name).not.toEqual(first.tensors.get(name)!.data);
  });

  it('takes flags that say the same, in any order', async () => {
    const same = ['--adapter', 'lora', '--rank', '2', '--target-modules', 'v_proj,q_proj', '--model', 'base'];
    const { code, notes } = await train('--from', 'first/adapter', '--out', 'second', '--dry-run', ...same);
    expect(code, notes).toBe(0);
  });

  it.each([
    [['--rank', '4'], '--rank contradicts the adapter in first/adapter, which --from goes on with; got 4; expected 2; leave it out: the method and its options come from the adapter.'],
    [['--adapter', 'ia3'], '--adapter contradicts the adapter in first/adapter, which --from goes on with; got "ia3"; expected "lora"; leave'],
    [['--use-dora'], '--use-dora contradicts the adapter in first/adapter, which --from goes on with; got true; expected false'],
    [['--modules-to-save', 'lm_head'], '--modules-to-save contradicts the adapter in first/adapter, which --from goes on with; got ["lm_head"]; expected none'],
    [['--init-lora-weights', 'gaussian'], '--init-lora-weights has no effect with --from: values start as they are in first/adapter; got "gaussian"; leave'],
    [['--out', 'first', '--overwrite'], '--from first/adapter lies in --out first, where this run writes its own adapter; give another --out.'],
    [['--from', 'first'], 'first holds no adapter: it is a run; expected a folder with adapter_config.json; give --from first/adapter.'],
    [['--from', 'base'], 'base holds no adapter: it is a model; expected a folder with adapter_config.json.'],
    [['--from', './none'], 'there is no such folder; got "./none"; expected the folder of an adapter, or a hub id'],
  ])('refuses %j', async (flags, text) => {
    const given = ['--out', '--from'].map(name => flags.includes(name));
    const missing = [...(given[0]! ? [] : ['--out', 'second']), ...(given[1]! ? [] : ['--from', 'first/adapter'])];
    const { code, notes } = await train(...missing, ...flags);
    expect([code, notes]).toEqual([2, expect.stringContaining(`dropbp train: ${text}`)]);
    expect(existsSync('second')).toBe(false);
  }); // prettier-ignore

  it('resumes as it began, and not from an adapter that was changed', async () => {
    cpSync('first/adapter', 'copy', { recursive: true });
    const begun = await train('--from', 'copy', '--out', 'second', '--save-every', '1');
    expect(begun.code, begun.notes).toBe(0);
    const terminal = fakeTerminal();
    const args = ['train', '--resume', '--out', 'second', '--steps', '3'];
    expect(await runCommandLine({ commands, version: '0', args, terminal }), terminal.written.notes).toBe(0);
    const file = 'copy/adapter_model.safetensors';
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    const changed = fakeTerminal();
    const again = ['train', '--resume', '--out', 'second', '--steps', '4'];
    expect(await runCommandLine({ commands, version: '0', args: again, terminal: changed })).toBe(2);
    expect(changed.written.notes).toContain('was made with another from; got ["adapter_config.json: ');
  });
});

describe('a method other than LoRA', () => {
  it.each([
    ['ia3', '--feedforward-modules', 'down_proj'],
    ['p-tuning', '--num-virtual-tokens', '3'],
    ['llama-adapter', '--adapter-len', '3'],
  ])('is gone on from: %s', async (method, flag, value) => {
    const rest = method === 'ia3' ? ['--target-modules', 'k_proj,down_proj'] : [];
    const out = `first-${method}`;
    const made = await train('--model', 'base', '--adapter', method, flag, value, ...rest, '--out', out);
    expect(made.code, made.notes).toBe(0);
    const { code, notes } = await train('--from', `${out}/adapter`, '--out', 'second');
    expect(code, notes).toBe(0);
    expect(recordOf('second').options.adapter).toBe(method);
    expect(recordOf('second').heldOut[0]!.loss).toBeCloseTo(recordOf(out).heldOut.at(-1)!.loss, 4);
    const refused = await train('--from', `${out}/adapter`, '--out', 'third', flag, method === 'ia3' ? 'k_proj' : '4');
    expect(refused.notes).toContain(`${flag} contradicts the adapter in ${out}/adapter`);
  });
});
