import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { findTokenHead, forwardStates, plainRunnable } from '@dropbp/core';
import { ggufTokenizer, loadModel, readGguf } from '@dropbp/models';
import { decodeSafetensors, encodeSafetensors, openCheckpoint, openSafetensors } from '@dropbp/safetensors';
import { loadChatTemplate, loadTokenizer } from '@dropbp/data';
import { mutateSafetensors } from '../mutate/files.ts';
import { mutateGguf } from '../mutate/gguf.ts';
import { mutateTemplate } from '../mutate/jinja.ts';
import { jsonMutator } from '../mutate/json.ts';
import { mutateTokenizer } from '../mutate/tokenizer.ts';
import type { FuzzTarget } from '../target.ts';
import { bytesOf, jsonPieces, scratchFolder, withFile } from './scratch.ts';

const fixtures = fileURLToPath(new URL('../../../packages/models/test/fixtures/', import.meta.url));
const architectures = readdirSync(fixtures).filter(name => existsSync(`${fixtures}${name}/config.json`));
const fixture = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(`${fixtures}${path}`));
const sizes = [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0)];

/** Everything that a model is loaded from. */
export function modelTargets(): FuzzTarget[] {
  return [safetensors(), index(), config(), weights(), gguf(), tokenizer(), chatTemplate()];
}

function safetensors(): FuzzTarget {
  const small = encodeSafetensors(
    new Map([
      ['a.weight', { dtype: 'F32', shape: [2, 3], data: new Uint8Array(24) }],
      ['b', { dtype: 'BF16', shape: [], data: new Uint8Array(2) }],
      ['empty', { dtype: 'I64', shape: [0, 4], data: new Uint8Array(0) }],
    ]),
    { metadata: { format: 'pt' } },
  );
  return {
    name: 'safetensors',
    mutate: mutateSafetensors,
    inputs: [small, fixture('llama/model.safetensors').slice()],
    pieces: [...jsonPieces, ...sizes, '"data_offsets":[0,1099511627776]', '"shape":[1099511627776]', '"dtype":"F64"'],
    async run(input) {
      const bytes = new Uint8Array(input);
      const [whole, lazy] = await Promise.allSettled([Promise.resolve(bytes).then(decodeSafetensors), readAll(bytes)]);
      if (whole.status !== lazy.status) throw new Error(`decoded at once ${whole.status}, lazily ${lazy.status}`);
      if (whole.status === 'rejected') throw whole.reason;
    },
  };
}

/** How many tensors there are; each has as many bytes as its header says. */
async function readAll(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const file = await openSafetensors(new Blob([bytes]));
  for (const [name, { sizeBytes }] of file.tensors) {
    if ((await file.read(name)).length !== sizeBytes) throw new Error(`${name} is not whole`);
  }
  return file.tensors.size;
}

function index(): FuzzTarget {
  const folder = scratchFolder('index');
  cpSync(`${fixtures}llama/model.safetensors`, `${folder}/a.safetensors`);
  const { tensors } = decodeSafetensors(fixture('llama/model.safetensors'));
  const weightMap = Object.fromEntries([...tensors.keys()].map(name => [name, 'a.safetensors']));
  return {
    name: 'model.safetensors.index.json',
    mutate: jsonMutator({ values: ['"a.safetensors"', '"../a.safetensors"', '"/etc/passwd"', '""'] }),
    inputs: [bytesOf(JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }))],
    pieces: [...jsonPieces, '"weight_map":', 'a.safetensors', '../', '/etc/passwd', '..\\'],
    async run(input) {
      const checkpoint = await openCheckpoint(withFile(folder, 'model.safetensors.index.json', input));
      for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
      await checkpoint.close();
    },
  };
}

async function used(files: readonly File[] | Blob): Promise<void> {
  if (tf.getBackend() !== 'cpu') await tf.setBackend('cpu');
  const model = await loadModel(files instanceof Blob ? files : [...files]);
  try {
    const tokens = [[1, 2, 3]];
    const writes = findTokenHead(model) !== undefined;
    const result = writes ? model.forward(tokens) : forwardStates(plainRunnable(model), tokens);
    const width = writes ? model.vocabSize : model.hiddenSize;
    if (result.shape.join() !== `1,3,${width}`) throw new Error(`a result of [${result.shape.join()}]`);
    result.dispose();
  } finally {
    model.dispose();
  }
}

const configWords = {
  keys: ['model_type', 'architectures', 'vocab_size', 'hidden_size', 'num_hidden_layers', 'n_layer', 'num_attention_heads', 'num_key_value_heads', 'head_dim', 'rope_scaling', 'rope_parameters', 'rope_theta', 'hidden_act', 'sliding_window', 'layer_types', 'tie_word_embeddings', 'attention_bias', 'quantization_config', 'eos_token_id'],
  values: ['"llama"', '"gpt2"', '"qwen2"', '"mistral"', '"gelu"', '"silu"', '{"type":"yarn","factor":4}', '{"rope_type":"llama3","factor":8}', '{"type":"dynamic","factor":2}', '["full_attention","sliding_attention"]', '3000000', '4000000000', '1e-5', '[1,2]'],
}; // prettier-ignore

function config(): FuzzTarget {
  const weightsOf = new Map(architectures.map(name => [name, fixture(`${name}/model.safetensors`)]));
  return {
    name: 'config.json',
    mutate: jsonMutator(configWords),
    inputs: architectures.map(name => fixture(`${name}/config.json`)),
    pieces: [
      ...jsonPieces,
      ...['"rope_scaling":{"type":"yarn"},', '"vocab_size":1000000000000,', '"num_hidden_layers":100000000,'],
      ...['"num_key_value_heads":3,', '"head_dim":0,', '"hidden_act":"x",', '"sliding_window":1,', '"n_layer":-1,'],
    ],
    async run(input) {
      // Weights of the architecture that it most likely is of.
      const text = new TextDecoder().decode(input);
      const [, type = 'llama'] = /"model_type":\s*"(\w+)"/.exec(text) ?? [];
      const given = weightsOf.get(type === 'llama' && text.includes('llama3') ? 'llama3' : type);
      await used([
        new File([new Uint8Array(input)], 'config.json'),
        new File([given ?? weightsOf.get('llama')!], 'model.safetensors'),
      ]);
    },
  };
}

function weights(): FuzzTarget {
  const own = new File([fixture('llama/config.json')], 'config.json');
  return {
    name: 'model.safetensors',
    mutate: mutateSafetensors,
    inputs: [fixture('llama/model.safetensors')],
    pieces: [...jsonPieces, ...sizes, 'model.layers.0.', 'BF16', 'F32', 'I32', '"shape":[', 'lm_head.weight'],
    run: input => used([own, new File([new Uint8Array(input)], 'model.safetensors')]),
  };
}

function gguf(): FuzzTarget {
  const files = readdirSync(`${fixtures}gguf`).filter(name => name.endsWith('.gguf') && name !== 'quantised.gguf');
  const types = readdirSync(`${fixtures}gguf/types`).map(name => `types/${name}`);
  return {
    name: 'gguf',
    mutate: mutateGguf,
    inputs: [...files, ...types.slice(0, 3)].map(name => fixture(`gguf/${name}`)),
    pieces: [...sizes, 'GGUF', 'general.architecture', 'llama.block_count', 'tokenizer.ggml.tokens', 'blk.0.', '\0'],
    async run(input) {
      const file = new File([new Uint8Array(input)], 'model.gguf');
      const header = await readGguf(file);
      if (header.metadata.has('tokenizer.ggml.model')) {
        const tokenizer = await loadTokenizer(ggufTokenizer(header));
        tokenizer.decode(tokenizer.encode('naïve ☕ text'));
      }
      // Some hold tensors of a type alone.
      if ([...header.metadata.keys()].some(key => key.endsWith('.block_count'))) await used(file);
    },
  };
}

function tokenizer(): FuzzTarget {
  const folder = scratchFolder('tokenizer');
  const tokenizers = ['tokenizers', 'wordPieces'].flatMap(name => {
    const path = new URL(`../../../packages/data/test/fixtures/${name}.json`, import.meta.url);
    const { families } = JSON.parse(readFileSync(path, 'utf8')) as { families: Record<string, { tokenizer: object }> };
    return Object.values(families);
  });
  return {
    name: 'tokenizer.json',
    mutate: mutateTokenizer,
    inputs: tokenizers.map(({ tokenizer }) => bytesOf(JSON.stringify(tokenizer))),
    pieces: [
      ...jsonPieces,
      ...[
        '"type":"ByteLevel"',
        '"Regex":"(a+)+$"',
        '"model":{',
        '"merges":[',
        '"vocab":{',
        '"added_tokens":[',
        '"id":-1',
      ],
    ],
    async run(input) {
      const tokenizer = await loadTokenizer(withFile(folder, 'tokenizer.json', input));
      const ids = tokenizer.encode('naïve ☕ text,  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab <|end|> 123');
      if (ids.some(id => !Number.isInteger(id) || id < 0 || id >= tokenizer.vocabSize)) throw new Error('no token');
      const pair = tokenizer.encodePair!('naïve ☕', 'text');
      if (pair.ids.length !== pair.tokenTypes.length) throw new Error('ids without a type');
      if (typeof tokenizer.decode(ids) !== 'string') throw new Error('no text');
    },
  };
}

const template = `{%- for message in messages %}{% if message.role not in ['system', 'user', 'assistant'] %}
{{ raise_exception('no such role') }}{% endif %}{{ '<s>' + message['role'] + '\n' + (message.content or '') | trim }}
{% set ns = namespace(n=0) %}{% if loop.last %}{{ '<|end|>' }}{% endif %}{%- endfor %}{{ bos_token }}
{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}`;

function chatTemplate(): FuzzTarget {
  return {
    name: 'chat_template.jinja',
    mutate: mutateTemplate,
    inputs: [bytesOf(template)],
    pieces: [
      ...[
        '{%',
        '%}',
        '{{',
        '}}',
        '{#',
        '-%}',
        "'",
        '|',
        '[',
        ']',
        '(',
        ')',
        '.',
        '~',
        '**',
        '%',
        ' if ',
        ' in ',
        ' is ',
      ],
      ...['{% for i in messages %}', '{% endfor %}', '{% if 1 %}', '{% endif %}', '|tojson', '|length', '.constructor'],
      ...['{% macro f(x) %}', '{% endmacro %}', 'messages[0]', '|replace("a", "b")', 'loop.index', '\ufeff', '\0'],
    ],
    async run(input) {
      const made = await loadChatTemplate({ template: new TextDecoder().decode(input) });
      const messages = [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Good day' },
      ];
      const text = made!.render(messages, { addGenerationPrompt: true });
      if (typeof text !== 'string') throw new Error('no text');
    },
  };
}
