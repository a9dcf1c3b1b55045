import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import type { Adapter } from '@dropbp/core';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { toyModel } from '@dropbp/testing';
import { renderText } from '../../terminal/paint.ts';
import { inspectAdapter, showAdapter } from './inspectAdapter.ts';
import { totalLine } from './tensorList.ts';

const text = { text: 'Go on', tokenizer: { encode: () => [1, 2] } };
const adapters: Readonly<Record<string, Adapter>> = {
  default: lora({
    rank: 4,
    alpha: 8,
    targetModules: ['q', 'v'],
    rankPattern: { 'blocks.1.attn.q': 2 },
    useRslora: true,
    useDora: true,
    trainableTokenIndices: [3, 5],
  }),
  factors: ia3({ targetModules: ['v', 'down'], feedforwardModules: ['down'] }),
  gated: llamaAdapter({ adapterLen: 3, adapterLayers: 2 }),
  keys: prefixTuning({ numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 5 }),
  network: pTuning({ numVirtualTokens: 4, encoderReparameterizationType: 'LSTM', encoderHiddenSize: 6 }),
  tokens: promptTuning({ numVirtualTokens: 2, initialization: text }),
};

let folder: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'inspect-'));
  const model = toyModel();
  const tuned = compose(model, adapters.default!);
  for (const [name, adapter] of Object.entries(adapters)) if (name !== 'default') tuned.addAdapter(name, adapter);
  await tuned.save(folder);
  tuned.dispose();
  model.dispose();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The lines above the table, without the spaces that put them in line. */
async function linesOf(name: string): Promise<string[]> {
  const shown = renderText(showAdapter(await inspectAdapter(name === 'default' ? folder : join(folder, name))));
  return shown.split('\n\n')[0]!.split('\n').map(line => line.replaceAll(/ {2,}/g, ': ')); // prettier-ignore
}

it.each<[string, string[]]>([
  [
    'default',
    [
      'method: LoRA: low-rank changes of layers',
      ...['rank: 4', 'other ranks: blocks.1.attn.q: 2', 'alpha: 8', 'scaling: 4 = alpha / √rank (rsLoRA)'],
      ...['DoRA: each output has a magnitude of its own', 'targets: q, v', 'tokens trained: 2 rows of the embedding'],
      'more adapters: factors (IA3), gated (ADAPTION_PROMPT), keys (PREFIX_TUNING), network (P_TUNING), tokens (PROMPT_TUNING)',
    ],
  ],
  [
    'factors',
    [
      'method: IA³: a factor for each output of layers, or for each input',
      'targets: down, v',
      'inputs scaled of: down',
    ],
  ],
  [
    'keys',
    [
      'method: prefix tuning: keys and values in front of every sequence, in every attention branch',
      ...['virtual tokens: 3', 'made for: 3 layers, 2 heads, tokens of width 8'],
      'made by: a network of width 5, which the file does not hold',
    ],
  ],
  [
    'tokens',
    [
      'method: prompt tuning: virtual tokens in front of every sequence',
      ...['virtual tokens: 2', 'made for: 3 layers, 2 heads, tokens of width 8', 'started from: the text "Go on"'],
    ],
  ],
  [
    'network',
    [
      'method: P-tuning: virtual tokens in front of every sequence, made by a network',
      ...['virtual tokens: 4', 'made by: an LSTM of width 6, which the file does not hold'],
    ],
  ],
  [
    'gated',
    [
      'method: LLaMA-Adapter: tokens that upper attention branches look at, behind a gate',
      ...['virtual tokens: 3', 'layers, from the top: 2', 'targets: attn'],
    ],
  ],
])('explains the folder of %s', async (name, expected) => {
  const lines = await linesOf(name);
  for (const line of [...expected, 'base model: toy', 'PEFT version: 0.21.2']) expect(lines).toContain(line);
});

it('says of a method that is not known what is set', async () => {
  const other = join(folder, 'factors');
  const file = join(other, 'adapter_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, peft_type: 'VERA', r: 256, nothing: null, empty: [] }));
  const lines = await linesOf('factors');
  expect(lines).toContain('method: VERA (dropbp cannot load it)');
  expect(lines.join('\n')).toMatch(
    /not supported: adapters of the method 'VERA' are not supported; expected one of the methods LORA, IA3, PREFIX_TUNING, PROMPT_TUNING, P_TUNING, ADAPTION_PROMPT; merge it/,
  );
  expect(lines.join('\n')).not.toContain('did you mean');
  expect(lines).toContain('r: 256');
  expect(lines.join('\n')).not.toMatch(/nothing|empty/);
});

it('shows what loading would refuse, one line with all of it', async () => {
  const file = join(folder, 'adapter_config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const options: Readonly<Record<string, unknown>> = {
    use_qalora: true,
    use_bdlora: { nblocks: 2 },
    alora_invocation_tokens: [1],
    arrow_config: { top_k: 1 },
    kasa_config: {},
    layer_replication: [[0, 2]],
    megatron_config: { a: 1 },
    monteclora_config: { a: 1 },
    target_parameters: ['experts'],
    velora_config: { a: 1 },
    init_lora_weights: 'corda',
    an_option_of_tomorrow: true,
  };
  for (const [key, value] of Object.entries(options)) {
    await writeFile(file, JSON.stringify({ ...config, [key]: value }));
    const lines = await linesOf('default');
    expect(lines.some(line => line.startsWith('not supported: ') && line.includes(key))).toBe(true);
    expect(lines[0]).toBe('method: LoRA: low-rank changes of layers (dropbp cannot load it)');
  }
  await writeFile(file, JSON.stringify({ ...config, use_qalora: true, arrow_config: { top_k: 1 } }));
  expect(await linesOf('default')).toContain('not supported: arrow_config is not supported: several adapters are mixed by token; use_qalora is not supported: inputs are pooled for a quantized base; got {"arrow_config":{"top_k":1},"use_qalora":true}.'); // prettier-ignore
  await writeFile(file, JSON.stringify(config));
});

describe('totalLine', () => {
  it('counts', () => {
    const tensor = { name: 'a', dtype: 'F32', shape: [2, 3], sizeBytes: 24 };
    expect(totalLine([tensor])).toBe('1 tensor, 6 values, 24 B (F32)');
    expect(totalLine([tensor, { ...tensor, dtype: 'F16', sizeBytes: 12 }])).toBe(
      '2 tensors, 12 values, 36 B (F32, F16)',
    );
  });
});
