import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '@dropbp/basics';
import { ggufConfig, ggufTokenizer, loadModel, readGguf } from '../src/index.ts';
import { fixtureFolder } from './fixture.ts';
import { ggufBytes, llamaContent, type GgufContent, type Value } from './ggufBytes.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const load = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
  (await loadModel(new File([bytes], 'x.gguf'))).dispose();
};
const file = (content: GgufContent): Uint8Array<ArrayBuffer> => ggufBytes(content);
const llama = (changes: Record<string, Value | undefined>): Uint8Array<ArrayBuffer> => ggufBytes(llamaContent(changes));
/** The Llama with some tensors replaced, left out (undefined) or added. */
function tensors(
  changes: Record<string, Partial<NonNullable<GgufContent['tensors']>[number]> | undefined>,
): Uint8Array<ArrayBuffer> {
  const content = llamaContent();
  const kept = content.tensors!.filter(({ name }) => !(name in changes && changes[name] === undefined));
  const changed = kept.map(tensor => ({ ...tensor, ...changes[tensor.name] }));
  const added = Object.entries(changes).filter(([name, tensor]) => tensor && !kept.some(other => other.name === name));
  return ggufBytes({
    ...content,
    tensors: [...changed, ...added.map(([name, tensor]) => ({ name, shape: [4], ...tensor }))],
  });
}
const text = (content: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(content));
const whole = new Uint8Array(readFileSync(`${fixtureFolder('gguf')}/qwen2.gguf`));
const flip = (bytes: Uint8Array<ArrayBuffer>, at: number, size: number): Uint8Array<ArrayBuffer> => {
  const copy = bytes.slice();
  copy.subarray(at, at + size).reverse();
  return copy;
};

describe('refuses a file', () => {
  const cases: [string, Uint8Array<ArrayBuffer>, string][] = [
    ['that is empty', text(''), 'x.gguf is not a GGUF file; expected a file that begins with GGUF, or the folder of a model'],
    ['that is a pointer', text('version https://git-lfs.github.com/spec/v1'), "this is a Git LFS pointer, not the file: run 'git lfs pull'"],
    ['that is a page', text('<!doctype html>'), 'this looks like a web page'],
    ['of before GGUF', text('tjgg and more'), 'this is a file of before GGUF: take a newer one'],
    ['that is cut behind its magic number', text('GGUF\x03'), 'x.gguf ends inside its header; got "5 bytes"; the file is cut short'],
    ['of version 1', file({ version: 1 }), 'x.gguf: this version of GGUF is not read; got 1; expected a little-endian file of version 2 or 3'],
    ['of a later version', file({ version: 4 }), 'this version of GGUF is not read; got 4'],
    ['that is big-endian', flip(whole, 4, 4), 'x.gguf: big-endian GGUF files are not read'],
    ['that is cut in its metadata', whole.slice(0, 500), 'x.gguf is too short for what its header says'],
    ['that is cut in its tensors', whole.slice(0, 1500), 'x.gguf ends inside its header; got "1500 bytes"; the file is cut short'],
    ['that is cut in its weights', whole.slice(0, 9000), "x.gguf ends inside tensor 'blk.1.ffn_up.weight'; got \"9000 bytes\"; expected at least"],
    ['that claims too many tensors', file({ tensorCount: 2n ** 40n }), 'x.gguf is too short for what its header says; got "32 bytes for 1099511627776 tensors and 0 keys"'],
    ['that claims too many keys', file({ keyCount: 2n ** 63n }), 'for 0 tensors and 9223372036854775808 keys'],
    ['with a key twice', file({ metadata: [['a', 'x'], ['b', 'y'], ['a', 'z']] }), "x.gguf: the metadata has the key 'a' twice"],
    ['with a value of an unknown type', file({ metadata: [['a', { raw: [13, 0, 0, 0, 1] }]] }), "x.gguf: 'a' holds a value of an unknown type; got 13; expected 0 to 12"],
    ['with a list of lists', file({ metadata: [['a', { raw: [9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] }]] }), "x.gguf: 'a' holds a list of lists"],
    ['with a string that is no UTF-8', file({ metadata: [['a', { raw: [8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28] }]] }), 'x.gguf: a string of the header is no UTF-8; got "byte 45"'],
    ['with a string that is longer than the file', file({ metadata: [['a', { raw: [8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0] }]] }), 'x.gguf ends inside its header'],
    ['with a list that is longer than the file', file({ metadata: [['a', { raw: [9, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0] }]] }), 'x.gguf ends inside its header'],
    ['with a list that is longer than any', file({ metadata: [['a', { raw: [9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0] }]] }), 'x.gguf holds too many values in its metadata; got "1125899906842627"; expected at most 4194304'],
    ['with an alignment of a half', file({ metadata: [['general.alignment', { f32: 0.5 }]] }), 'x.gguf: general.alignment is not usable; got 0.5; expected a power of two'],
    ['with an alignment below zero', file({ metadata: [['general.alignment', { f32: -8 }]] }), 'x.gguf: general.alignment is not usable; got -8'],
    ['with an endless alignment', file({ metadata: [['general.alignment', { u64: 2n ** 60n }]] }), 'x.gguf: general.alignment is not usable; got 1152921504606847000'],
    ['with an alignment that is text', file({ metadata: [['general.alignment', '32']] }), 'x.gguf: general.alignment is not usable; got "32"'],
    ['with an alignment that is none', file({ metadata: [['general.alignment', { u32: 33 }]] }), 'x.gguf: general.alignment is not usable; got 33; expected a power of two'],
    ['with no alignment', file({ metadata: [['general.alignment', { u32: 0 }]] }), 'x.gguf: general.alignment is not usable; got 0'],
    ['with a tensor twice', file({ tensors: [{ name: 'a', shape: [1] }, { name: 'a', shape: [1], offset: 32 }], dataBytes: 64 }), "x.gguf: tensor 'a' is there twice"],
    ['with a tensor of a type that is not read', tensors({ 'blk.0.ffn_up.weight': { type: 16 }, 'blk.0.ffn_down.weight': { type: 10 } }), 'x.gguf holds tensors of a type that is not read; got "IQ2_XXS, Q2_K"; expected types F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K; take the model in another quantisation, such as Q8_0 or Q4_K_M (the first of these tensors is \'blk.0.ffn_up.weight\')'],
    ['with a tensor of a type that nobody knows', tensors({ 'output_norm.weight': { type: 4000 } }), 'got "number 4000"'],
    ['with a tensor of half a block', tensors({ 'output_norm.weight': { type: 8 } }), "x.gguf: tensor 'output_norm.weight' of type Q8_0 is not made of whole blocks; got [8]; expected rows of a multiple of 32"],
    ['with a tensor of no size', tensors({ 'output_norm.weight': { shape: [0] } }), "tensor 'output_norm.weight' has no usable shape; got [0]; expected sizes ≥ 1"],
    ['with a tensor of no dimension', tensors({ 'output_norm.weight': { shape: [] } }), "tensor 'output_norm.weight' has no usable shape; got \"0 dimensions\"; expected 1 to 4"],
    ['with a tensor of many dimensions', tensors({ 'output_norm.weight': { shape: [1, 1, 1, 1, 8] } }), "tensor 'output_norm.weight' has no usable shape; got \"5 dimensions\""],
    ['with a tensor of a terabyte', tensors({ 'output_norm.weight': { shape: [2 ** 20, 2 ** 20] } }), "x.gguf ends inside tensor 'output_norm.weight'; got "],
    ['with a tensor of more than there is', tensors({ 'output_norm.weight': { shape: [2n ** 32n, 2n ** 32n, 2n ** 32n, 2n ** 32n] } }), "expected at least 1361129467683753853853498429727072847"],
    ['with a tensor that is not aligned', tensors({ 'output_norm.weight': { offset: 8 } }), "tensor 'output_norm.weight' is not aligned; got \"8\"; expected a multiple of 32"],
    ['with a tensor far outside', tensors({ 'output_norm.weight': { offset: 2n ** 63n } }), "x.gguf ends inside tensor 'output_norm.weight'"],
    ['with tensors that share bytes', tensors({ 'output_norm.weight': { offset: 0 } }), "x.gguf: tensors 'token_embd.weight' and 'output_norm.weight' share bytes"],
  ]; // prettier-ignore
  it.each(cases)('%s', async (_, bytes, message) => {
    await expect(load(bytes)).rejects.toThrow(message);
  });

  it('with 60 MB of bytes as a list, in no time', async () => {
    const start = file({ metadata: [['a', { raw: [9, 0, 0, 0, 0, 0, 0, 0, 0, 0x87, 0x93, 3, 0, 0, 0, 0] }]] });
    const startedMs = performance.now();
    await expect(readGguf(new Blob([start, new Uint8Array(60_000_000)]))).rejects.toThrow('too many values');
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });

  it('that is not there', async () => {
    await expect(loadModel('./no/such/model.gguf')).rejects.toThrow('there is no file ./no/such/model.gguf');
  });

  it('that is asked for by its folder, and says how', async () => {
    await expect(loadModel(fixtureFolder('gguf'))).rejects.toThrow(
      "there is no config.json; expected the files of a Hugging Face model; a GGUF file is loaded by its own path: 'cohere2.gguf'",
    );
  });

  it('of another kind, by its path', async () => {
    const path = `${fixtureFolder('llama')}/config.json`;
    await expect(loadModel(path)).rejects.toThrow(
      `${path} is not a GGUF file; expected a file that begins with GGUF, or the folder`,
    );
  });
});

describe('refuses a model', () => {
  const cases: [string, Uint8Array<ArrayBuffer>, string][] = [
    ['of an architecture that is not supported', llama({ 'general.architecture': 'mamba' }), 'x.gguf: this architecture (general.architecture) is not supported; got "mamba"; expected one of llama, qwen2, qwen3, smollm3, gemma2, gemma3, phi3, granite, olmo2, mistral3, cohere2, glm4, exaone4, starcoder2, stablelm, gpt2'],
    ['of no architecture', llama({ 'general.architecture': undefined }), 'is not supported; got undefined'],
    ['that is an adapter', llama({ 'general.type': 'adapter' }), "x.gguf holds no model (general.type); got \"adapter\"; expected 'model'"],
    ['in parts', llama({ 'split.count': { u32: 3 } }), 'x.gguf is one of several parts (split.count); got 3; expected a model in one file; put the parts together: llama-gguf-split --merge'],
    ['that is a later part', ggufBytes({ metadata: [['split.no', { u32: 1 }], ['split.count', { u32: 3 }]] }), 'x.gguf is one of several parts (split.count); got 3'],
    ['of another way of quantising', llama({ 'general.quantization_version': { u32: 3 } }), 'x.gguf is quantised in another way (general.quantization_version); got 3; expected 2'],
    ['with a key that nobody knows', llama({ 'llama.attention.clamp_kqv': { f32: 8 } }), 'x.gguf asks for what the \'llama\' model does not do; got {"llama.attention.clamp_kqv":8}'],
    ['with a misspelt key', llama({ 'llama.rope.freq_bas': { f32: 8 } }), "if it is misspelt, 'llama.rope.freq_base' is the nearest"],
    ['without a size', llama({ 'llama.embedding_length': undefined }), 'x.gguf: llama.embedding_length is not usable; got undefined; expected an integer ≥ 1'],
    ['without its epsilon', llama({ 'llama.attention.layer_norm_rms_epsilon': undefined }), 'x.gguf: llama.attention.layer_norm_rms_epsilon is not usable; got undefined; expected a number'],
    ['of experts', llama({ 'llama.expert_count': { u32: 8 } }), 'x.gguf: llama.expert_count is not supported; got 8; expected 0'],
    ['that looks ahead', llama({ 'llama.attention.causal': false }), 'x.gguf: llama.attention.causal is not supported; got false; expected true'],
    ['that turns a part of a head', llama({ 'llama.rope.dimension_count': { u32: 2 } }), 'x.gguf: llama.rope.dimension_count is not supported; got 2; expected 4'],
    ['with another scaling of positions', llama({ 'llama.rope.scaling.type': 'ntk' }), 'x.gguf: this scaling of rotary positions (rope.scaling.type) is not supported; got "ntk"; expected none, linear, yarn, or the divisors of Llama 3'],
    ['with a linear scaling by nothing', llama({ 'llama.rope.scaling.type': 'linear' }), 'x.gguf: llama.rope.scaling.factor is not usable; got undefined'],
    ['with divisors that are not of Llama 3', tensors({ 'rope_freqs.weight': { shape: [2], offset: 32 * 104 } }), 'x.gguf: the positions are scaled in a way that is not supported (rope_freqs.weight); got [0,0]'],
    ['with divisors that are quantised', tensors({ 'rope_freqs.weight': { shape: [2], type: 1, offset: 32 * 104 } }), 'x.gguf: rope_freqs.weight is not usable; got {"type":"F16","sizeBytes":4}; expected F32 divisors of half a head'],
    ['of more blocks than tensors', llama({ 'llama.block_count': { u32: 4294967295 } }), 'x.gguf does not hold its blocks (block_count); got 4294967295; expected tensors of each, not 11 in all'],
    ['of heads that do not divide', llama({ 'llama.attention.head_count': { u32: 3 } }), 'config.json: head_dim is not usable; got 2.6666666666666665'],
    ['of more heads than rows', llama({ 'llama.attention.head_count': { u32: 4294967295 } }), 'config.json: head_dim is not usable'],
    ['of another size than its tensors', llama({ 'llama.feed_forward_length': { u32: 16 } }), 'x.gguf does not fit its config.json; got "misshapen: model.layers.0.mlp.gate_proj.weight [12,8] in place of [16,8]'],
    ['of another vocabulary than its tensors', llama({ 'llama.vocab_size': { u32: 32000 } }), 'misshapen: model.embed_tokens.weight [10,8] in place of [32000,8]'],
    ['without the output layer of its attention', tensors({ 'blk.0.attn_output.weight': undefined }), "x.gguf has no tensor 'blk.0.attn_output.weight'; expected the weights of a whole model"],
    ['that lacks a tensor', tensors({ 'blk.0.ffn_up.weight': undefined }), 'x.gguf does not fit its config.json; got "missing: model.layers.0.mlp.up_proj.weight"'],
    ['with a tensor that nobody knows', tensors({ 'blk.0.ffn_gate_inp.weight': { offset: 32 * 104 }, 'model.norm.weight': { offset: 32 * 105 }, output: { offset: 32 * 106 } }), 'x.gguf holds tensors that are not known; got ["blk.0.ffn_gate_inp.weight","model.norm.weight","output"]; expected the weights of a \'llama\' model'],
  ]; // prettier-ignore
  it.each(cases)('%s', async (_, bytes, message) => {
    const before = tf.memory().numTensors;
    const room = new Uint8Array(bytes.length + 4096);
    room.set(bytes);
    await expect(load(room)).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('and takes it without those faults', async () => {
    await expect(load(ggufBytes(llamaContent()))).resolves.toBeUndefined();
  });
});

describe('a damaged file', () => {
  const bytes = new Uint8Array(readFileSync(`${fixtureFolder('gguf')}/qwen2.gguf`));

  /** Reads all that there is; a Problem is an answer, another error is not. */
  async function answers(damaged: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      const header = await readGguf(new Blob([damaged]));
      ggufConfig(header);
      await load(damaged);
    } catch (error) {
      expect(error).toBeInstanceOf(Problem);
    }
  }

  it('cut anywhere is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 64 }), async length => {
        await expect(load(bytes.slice(0, length))).rejects.toBeInstanceOf(Problem);
      }),
      { numRuns: 60 },
    );
  });

  it('with other bytes in its header is read or refused, and nothing else', async () => {
    const change = fc.tuple(
      fc.nat({ max: 2200 }),
      fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat({ max: 255 })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async changes => {
        const damaged = bytes.slice();
        for (const [at, byte] of changes) damaged[at] = byte;
        await answers(damaged);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a tokenizer', () => {
  const tokenizer: Record<string, Value> = {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': ['a', 'b', 'ab', '<end>'],
    'tokenizer.ggml.token_type': { i32s: [1, 1, 1, 3] },
    'tokenizer.ggml.merges': ['a b'],
  };
  const header = (changes: Record<string, Value | undefined>) =>
    readGguf(new File([llama({ ...tokenizer, ...changes })], 'x.gguf'));

  it('is made of what the file holds', async () => {
    const made = ggufTokenizer(await header({ 'tokenizer.ggml.eos_token_id': { u32: 3 }, 'tokenizer.ggml.add_eos_token': true, 'tokenizer.chat_template': '{{ x }}' })); // prettier-ignore
    expect(made.config).toEqual({ eos_token: '<end>', chat_template: '{{ x }}' });
    expect(made.tokenizer).toMatchObject({
      added_tokens: [{ id: 3, content: '<end>', special: true }],
      post_processor: { special_tokens: { '<end>': { ids: [3] } } },
      model: { vocab: { a: 0, b: 1, ab: 2, '<end>': 3 }, merges: ['a b'], ignore_merges: false },
    });
  });

  const cases: [string, Record<string, Value | undefined>, string][] = [
    ['of another kind', { 'tokenizer.ggml.model': 'llama' }, "x.gguf: the tokenizer is of a kind that is not made (tokenizer.ggml.model); got \"llama\"; expected 'gpt2'; take tokenizer.json from the model's page on the hub"],
    ['that is missing', { 'tokenizer.ggml.model': undefined }, 'is of a kind that is not made (tokenizer.ggml.model); got undefined'],
    ['that splits in another way', { 'tokenizer.ggml.pre': 'deepseek-llm' }, 'the tokenizer splits in a way that is not known (tokenizer.ggml.pre); got "deepseek-llm"; expected one of gpt-2, smollm, llama-bpe'],
    ['that puts a space in front', { 'tokenizer.ggml.add_space_prefix': true }, 'the tokenizer puts a space in front (add_space_prefix); got true'],
    ['with a token twice', { 'tokenizer.ggml.tokens': ['a', 'b', 'a', 'c'] }, 'the tokenizer is damaged (tokens); got ["a","b","a","c"]; expected strings, each once'],
    ['without tokens', { 'tokenizer.ggml.tokens': undefined }, 'the tokenizer is damaged (tokens); got undefined'],
    ['with too few types', { 'tokenizer.ggml.token_type': { i32s: [1] } }, 'the tokenizer is damaged (token_type); got [1]; expected numbers, 4 of them'],
    ['with a merge of one', { 'tokenizer.ggml.merges': ['ab'] }, 'the tokenizer is damaged (merges); got ["ab"]; expected pairs with a space between'],
    ['with an end that is no token', { 'tokenizer.ggml.eos_token_id': { u32: 9 } }, 'the tokenizer is damaged (eos_token_id); got 9; expected the id of one of 4 tokens'],
    ['that adds a start that it does not name', { 'tokenizer.ggml.add_bos_token': true }, 'the tokenizer is damaged (add_bos_token); got true; expected a bos_token_id to add'],
  ]; // prettier-ignore
  it.each(cases)('%s is refused', async (_, changes, message) => {
    const found = await header(changes);
    expect(() => ggufTokenizer(found)).toThrow(message);
  });
});
