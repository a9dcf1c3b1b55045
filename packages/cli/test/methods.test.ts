import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { completeFlags, parseFlags } from '../src/flags/parseFlags.ts';
import { checkMethodFlags, optimizerOptions } from '../src/method/chooseMethod.ts';
import { methodFlags, methodNames, methodsOfFlag, type MethodFlag } from '../src/flags/tables/methodFlags.ts';
import { trainFlags } from '../src/flags/tables/trainFlags.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-methods-'));
  await writeTinyModel(join(folder, 'model'));
  writeFileSync(join(folder, 'text.txt'), 'The quick brown fox jumps over the lazy dog. '.repeat(20));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

async function train(out: string, ...flags: string[]) {
  const terminal = fakeTerminal();
  const quick = ['--steps', '2', '--batch', '2', '--time', '16', '--sample-tokens', '0', '--held-out', '0', '--rate', '0.5']; // prettier-ignore
  const args = ['train', '--model', at('model'), '--data', at('text.txt'), '--out', at(out), ...quick, ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

const configOf = (out: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(at(out), 'adapter/adapter_config.json'), 'utf8')) as Record<string, unknown>;

describe('dropbp train --adapter', () => {
  const runs: [string, string[], object][] = [
    ['lora', ['--r', '4', '--lora-alpha', '8', '--use-dora', '--target-modules', '/.*\\.(q|v)_proj/', '--loraplus-lr-ratio', '4'],
      { peft_type: 'LORA', r: 4, lora_alpha: 8, use_dora: true }],
    ['lora', ['--rank-pattern', 'q_proj=2', '--modules-to-save', 'lm_head', '--layers-to-transform', '1', '--target-modules', 'q_proj,v_proj', '--init-lora-weights', 'gaussian'],
      { peft_type: 'LORA', rank_pattern: { q_proj: 2 }, modules_to_save: ['lm_head'], layers_to_transform: [1], init_lora_weights: 'gaussian' }],
    ['ia3', ['--target-modules', 'k_proj,down_proj', '--feedforward-modules', 'down_proj'], { peft_type: 'IA3' }],
    ['prefix-tuning', ['--num-virtual-tokens', '3', '--prefix-projection', '--encoder-hidden-size', '8'],
      { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3, prefix_projection: true, encoder_hidden_size: 8 }],
    ['prompt-tuning', ['--num-virtual-tokens', '3', '--prompt-tuning-init-text', 'Tell me'],
      { peft_type: 'PROMPT_TUNING', prompt_tuning_init: 'TEXT', prompt_tuning_init_text: 'Tell me' }],
    ['p-tuning', ['--num-virtual-tokens', '3', '--encoder-hidden-size', '8'], { peft_type: 'P_TUNING', encoder_hidden_size: 8 }],
    ['llama-adapter', ['--adapter-len', '2'], { peft_type: 'ADAPTION_PROMPT', adapter_len: 2, adapter_layers: 1 }],
  ]; // prettier-ignore
  it.each(runs)('%s %j', async (adapter, flags, config) => {
    const out = `${adapter}-${flags.length}`;
    const { code, notes } = await train(out, '--adapter', adapter, ...flags);
    expect(code, notes).toBe(0);
    expect(configOf(out)).toMatchObject(config);
    const { options } = JSON.parse(readFileSync(join(at(out), 'run.json'), 'utf8')) as { options: object };
    // Options of other methods say nothing of this run.
    const strange = Object.keys(options).filter(key => Object.hasOwn(methodsOfFlag, key));
    expect(strange.every(key => methodsOfFlag[key as MethodFlag].includes(adapter as 'lora'))).toBe(true);
  });
  it('full, of some weights', async () => {
    const { code, out } = await train('norms', '--adapter', 'full', '--parts', 'norms', '--exclude', 'layers.0', '--json'); // prettier-ignore
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ model: { trainable: 3 * 32 }, name: 'Full fine-tuning + DropBP 0.5' });
  });
  it('has room for virtual tokens', async () => {
    const refused = await train('long', '--adapter', 'prompt-tuning', '--num-virtual-tokens', '60');
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.notes).toContain('--time is longer than the model has positions for; got 16; expected at most 4.');
    const full = await train('full', '--adapter', 'prompt-tuning', '--num-virtual-tokens', '70');
    expect(full).toMatchObject({ code: 2 });
    expect(full.notes).toContain('the virtual tokens of the adapter leave no position of the model for a text; got "room for 0"; give a smaller --num-virtual-tokens.'); // prettier-ignore
  });
  it('learns the same with --checkpointing, which the run remembers', async () => {
    const recordOf = (out: string) =>
      JSON.parse(readFileSync(join(at(out), 'run.json'), 'utf8')) as { options: object; steps: { loss: number }[] };
    expect(await train('kept')).toMatchObject({ code: 0 });
    expect(await train('again', '--checkpointing')).toMatchObject({ code: 0 });
    const [kept, again] = [recordOf('kept'), recordOf('again')];
    expect([kept.options, again.options]).toMatchObject([{ checkpointing: false }, { checkpointing: true }]);
    expect(again.steps).toHaveLength(2);
    again.steps.forEach(({ loss }, i) => expect(loss).toBeCloseTo(kept.steps[i]!.loss, 5));
  });
  it('takes layers in fewer bits, but trains none of them', async () => {
    expect(await train('int8', '--weights', 'int8', '--backend', 'ort')).toMatchObject({ code: 0 });
    const refused = await train('full8', '--weights', 'int8', '--backend', 'ort', '--adapter', 'full');
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.notes).toMatch(/is kept as int8 and cannot be trained/);
  });
});

describe('options of methods', () => {
  const given: Readonly<Record<MethodFlag, string | undefined>> = {
    targetModules: 'q_proj', excludeModules: 'k_proj', rank: '4', alpha: '4', dropout: '0.1', useRslora: undefined, useDora: undefined,
    initLoraWeights: 'pissa_niter_4', layersToTransform: '0,1-2', layersPattern: 'layers', rankPattern: 'q_proj=2', alphaPattern: 'q_proj=2.5',
    bias: 'all', loraBias: undefined, modulesToSave: 'lm_head', trainableTokenIndices: '1,2', ensureWeightTying: undefined,
    loraplusLrRatio: '16', loraplusLrEmbedding: '0.1', feedforwardModules: 'down_proj', numVirtualTokens: '3', prefixProjection: undefined,
    initWeights: 'zero', promptTuningInit: 'sample_vocab', promptTuningInitText: 'a', encoderReparameterizationType: 'LSTM', encoderHiddenSize: '4',
    encoderNumLayers: '1', encoderDropout: '0.5', adapterLen: '2', adapterLayers: '1', parts: 'biases', include: 'q_proj', exclude: 'k_proj',
  }; // prettier-ignore
  const parse = (...args: string[]) => completeFlags(methodFlags, parseFlags('dropbp train', methodFlags, args).values);
  const kebab = (key: string): string => key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

  it.each(Object.keys(given) as MethodFlag[])('%s belongs to its methods alone', flag => {
    const value = given[flag];
    const args = value === undefined ? [`--${kebab(flag)}`] : [`--${kebab(flag)}`, value];
    for (const adapter of methodNames) {
      const check = (): void => checkMethodFlags({ ...parse('--adapter', adapter, ...args), ...(flag === 'loraplusLrEmbedding' && adapter === 'lora' && { loraplusLrRatio: 2 }) }); // prettier-ignore
      if (methodsOfFlag[flag].includes(adapter)) expect(check).not.toThrow();
      else expect(check).toThrow(`--${kebab(flag)} does not belong to --adapter ${adapter}; expected --adapter ${methodsOfFlag[flag].join(' or ')}`); // prettier-ignore
    }
  });
  it('reads numbers, ranges, names and regular expressions', () => {
    const flags = parse('--layers-to-transform', '0,2,4-6', '--targets', 'a, b', '--exclude-modules', '/x.*/', '--rank-pattern', 'q=2,.*v=3'); // prettier-ignore
    expect(flags).toMatchObject({
      ...{ layersToTransform: [0, 2, 4, 5, 6], targetModules: ['a', 'b'], excludeModules: 'x.*' },
      rankPattern: { q: 2, '.*v': 3 },
    });
    expect(parse('--target-modules', 'all-linear').targetModules).toBe('all-linear');
  });
  it.each([
    ['--layers-to-transform', '3-1', "numbers from 0 and ranges of them, such as '0,2,8-11'"],
    ['--layers-to-transform', '-1', '0,2,8-11'],
    ['--rank-pattern', 'q_proj=0', 'an integer ≥ 1 for each name'],
    ['--rank-pattern', 'q_proj', 'an integer ≥ 1 for each name'],
    ['--rank-pattern', 'q_proj=2,q_proj=4', 'got "q_proj=2,q_proj=4"; expected each name once'],
    ['--init-lora-weights', 'pisa', "'pissa_niter_<iterations>'"],
    ['--target-modules', 'a,,b', 'a regular expression between slashes'],
    ['--loraplus-lr-ratio', '0.5', 'a number ≥ 1'],
  ])('refuses %s %s', (flag, value, expected) => {
    expect(() => parse(`${flag}=${value}`)).toThrow(expected);
  });
  it('has the rates of LoRA+', () => {
    const plain = { learningRate: 0.1, weightDecay: 0.2, loraplusLrRatio: undefined, loraplusLrEmbedding: undefined };
    expect(optimizerOptions(plain)).toEqual({ learningRate: 0.1, weightDecay: 0.2 });
    const { learningRateFactor } = optimizerOptions({ ...plain, loraplusLrRatio: 16 });
    expect(learningRateFactor!('x.lora_B.weight', [2, 2])).toBe(16);
  });
  it('stand in the schema of the configuration file, aliases too', () => {
    const schema = JSON.parse(readFileSync(new URL('../assets/train.schema.json', import.meta.url), 'utf8')) as {
      properties: object;
    };
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining([...Object.keys(trainFlags), 'loraAlpha', 'r']),
    );
  });
  it('do not go together where one has no effect', async () => {
    const cases: [string[], string][] = [
      [['--adapter', 'prefix-tuning', '--encoder-hidden-size', '8'], '--encoder-hidden-size has no effect without --prefix-projection'],
      [['--adapter', 'prompt-tuning', '--prompt-tuning-init', 'text'], '--prompt-tuning-init text needs --prompt-tuning-init-text'],
      [['--adapter', 'prompt-tuning', '--prompt-tuning-init', 'random', '--prompt-tuning-init-text', 'a'], 'random does not go with'],
      [['--loraplus-lr-embedding', '0.1'], '--loraplus-lr-embedding has no effect without --loraplus-lr-ratio'],
      [['--rank', '1e9'], '--rank is too large for the memory of this machine; got 1000000000; expected at most'],
    ]; // prettier-ignore
    for (const [flags, message] of cases) {
      const { code, notes } = await train('refused', ...flags);
      expect([code, notes]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});
