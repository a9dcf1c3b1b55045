import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { loadChatTemplate, loadTokenizer } from '@dropbp/data';
import { createModel } from '@dropbp/models';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { decodeSafetensors } from '@dropbp/safetensors';
import { byteSource } from '../../../packages/data/src/sources/byteSource.ts';
import { parquetSource } from '../../../packages/data/src/sources/parquet/parquet.ts';
import { decodeText } from '../mutate/draw.ts';
import type { Damageable } from '../damage.ts';
import type { FuzzTarget } from '../target.ts';
import { dataTargets } from '../targets/data.ts';
import { modelTargets } from '../targets/models.ts';
import { adapterWords } from '../targets/runs.ts';
import { jsonMutator } from '../mutate/json.ts';
import { scratchFolder, withFile } from '../targets/scratch.ts';

/** Something that Python's libraries read as well. */
export interface Subject extends Damageable {
  readonly name: string;
  /** What Python is asked; undefined for an input that has no one answer. */
  question(input: Uint8Array): object | undefined;
  /** What we make of it, as JSON that compares with Python's. @throws Problem where it is refused */
  ours(input: Uint8Array): Promise<unknown>;
  /** Whether both are the same. @defaultValue equal as JSON */
  isSame?(ours: unknown, theirs: unknown): boolean;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const TEXTS = [
  'Hello  world, naïve ☕ 123',
  ' aaaaaab\tAb\n\n<|end|>x',
  'I\'m 2,5 e\u0301 ẞ ﬁ "ok"',
  '',
  'ΑΣ 漢字 [MASK]a<s> FOO NewWord [UNK]',
];
export const CONTEXT = {
  messages: [
    { role: 'user', content: 'Hello  ' },
    { role: 'assistant', content: 'Good "day" <b>\nnaïve', x: [1, 2.5, null, true, { a: 'b' }] },
  ],
  tools: null,
  documents: null,
  add_generation_prompt: true,
  bos_token: '<s>',
  eos_token: '</s>',
};

/** All subjects. */
export async function differentialSubjects(): Promise<Subject[]> {
  const targets = [...(await dataTargets()), ...modelTargets()];
  const target = (name: string): FuzzTarget => targets.find(other => other.name === name)!;
  return [
    tokenizerSubject(target('tokenizer.json')),
    templateSubject(target('chat_template.jinja')),
    parquetSubject(target('parquet')),
    safetensorsSubject(target('safetensors')),
    await adapterSubject(),
  ];
}

function tokenizerSubject(target: FuzzTarget): Subject {
  const folder = scratchFolder('tokenizers');
  return {
    ...target,
    name: 'tokenizer',
    question: input => ({ subject: 'tokenizer', text: decodeText(input), texts: TEXTS }),
    async ours(input) {
      const tokenizer = await loadTokenizer(withFile(folder, 'tokenizer.json', input));
      const values: unknown[] = TEXTS.map(text => {
        const ids = [...tokenizer.encode(text, { addSpecialTokens: false })];
        return [ids, [...tokenizer.encode(text, { addSpecialTokens: true })], tokenizer.decode(ids)];
      });
      const { ids, tokenTypes } = tokenizer.encodePair!(TEXTS[0]!, TEXTS[1]!);
      return [...values, [ids, tokenTypes]];
    },
  };
}

function templateSubject(target: FuzzTarget): Subject {
  return {
    ...target,
    name: 'template',
    question(input) {
      const text = decodeText(input);
      // Chance, or more than either is to compute.
      return /lipsum|random|\*\*|\d{5}/.test(text) ? undefined : { subject: 'template', text, context: CONTEXT };
    },
    async ours(input) {
      const { messages, bos_token, eos_token } = CONTEXT;
      const template = await loadChatTemplate({ template: decodeText(input), config: { bos_token, eos_token } });
      return template!.render(messages, { addGenerationPrompt: true });
    },
    // Python shows where in memory an object lies.
    isSame: (ours, theirs) => ours === theirs || / at 0x[0-9a-f]+/.test(String(theirs)),
  };
}

function parquetSubject(target: FuzzTarget): Subject {
  return {
    ...target,
    name: 'parquet',
    question: input => ({ subject: 'parquet', bytes: base64(input) }),
    async ours(input) {
      const source = await parquetSource(await byteSource(new File([new Uint8Array(input)], 'a.parquet')), 'parquet');
      source.select?.(['messages', 'source']);
      const rows: unknown[] = [];
      for await (const group of source.scan()) {
        for (const row of group) {
          if ('error' in row) throw row.error;
          // Such a row is refused where it is read as what it is of.
          if (JSON.stringify(row.value, plainNumber).includes('"no UTF-8"'))
            throw problem('data', { what: 'no UTF-8' });
          rows.push(row.value);
        }
      }
      return JSON.parse(JSON.stringify(rows, plainNumber)) as unknown; // prettier-ignore
    },
    isSame: (ours, theirs) => sorted(ours) === sorted(theirs),
  };
}

const plainNumber = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

/** JSON with keys in order and without those that are null: of a column that is not there, Python says so. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).filter(([, item]) => item !== null).sort(([a], [b]) => (a < b ? -1 : 1))) // prettier-ignore
      : inner,
  );
}

function safetensorsSubject(target: FuzzTarget): Subject {
  return {
    ...target,
    name: 'safetensors',
    question: input => ({ subject: 'safetensors', bytes: base64(input) }),
    ours(input) {
      const { tensors } = decodeSafetensors(new Uint8Array(input));
      const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex').slice(0, 16);
      const rows = [...tensors].map(([name, { dtype, shape, data }]) => [name, dtype, shape, hash(data)] as const);
      return Promise.resolve(rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    },
  };
}

async function adapterSubject(): Promise<Subject> {
  await tf.setBackend('cpu');
  const sizes = { vocab_size: 24, hidden_size: 8, intermediate_size: 16, max_position_embeddings: 32, rms_norm_eps: 1e-5, hidden_act: 'silu' }; // prettier-ignore
  const heads = { num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1 };
  const model = createModel({ model_type: 'llama', initializer_range: 0.3, ...sizes, ...heads }, { seed: 2 });
  const base = scratchFolder('base');
  await model.save(`${base}/model`);
  const folders: string[] = [];
  for (const adapter of [lora({ rank: 2, targetModules: ['q_proj', 'v_proj'] }), ia3()]) {
    const tuned = compose(model, adapter);
    // As after some training: what starts as nothing would hide what is left out.
    for (const parameter of tuned.parameters.values()) (parameter).assign(tf.randomNormal(parameter.shape, 1, 0.3, 'float32', 7)); // prettier-ignore
    folders.push(scratchFolder('differential'));
    await tuned.save(folders.at(-1)!);
    tuned.dispose();
  }
  const tensors = folders.map(folder => readFileSync(`${folder}/adapter_model.safetensors`));
  const isIa3 = (input: Uint8Array): boolean => decodeText(input).includes('"IA3"');
  const folder = scratchFolder('mutated');
  return {
    name: 'adapter',
    inputs: folders.map(folder => new Uint8Array(readFileSync(`${folder}/adapter_config.json`))),
    pieces: ['null', '"', ',', '[]'],
    mutate: jsonMutator(adapterWords),
    question: input => ({
      subject: 'adapter',
      base: `${base}/model`,
      files: {
        'adapter_config.json': base64(input),
        'adapter_model.safetensors': base64(tensors[isIa3(input) ? 1 : 0]!),
      },
    }),
    async ours(input) {
      cpSync(`${folders[isIa3(input) ? 1 : 0]!}/adapter_model.safetensors`, `${folder}/adapter_model.safetensors`);
      const tuned = compose(model, await loadAdapter(withFile(folder, 'adapter_config.json', input)));
      try {
        const logits = tuned.forward([[1, 2, 3, 4]]);
        const values = [...(await logits.data())];
        logits.dispose();
        return values;
      } finally {
        tuned.dispose();
      }
    },
    isSame: (ours, theirs) => (ours as number[]).every((value, i) => Math.abs(value - (theirs as number[])[i]!) < 1e-3), // prettier-ignore
  };
}
