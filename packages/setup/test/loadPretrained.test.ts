import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHubServer } from '../../hub/test/hubServer.ts';
import { loadPretrained } from '../src/index.ts';

const austen = fileURLToPath(new URL('../../../models/austen-base', import.meta.url));
const template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}";
const text = 'It is a truth universally acknowledged';

let folder: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'pretrained-'));
  await cp(austen, folder, { recursive: true });
  await writeFile(join(folder, 'chat_template.jinja'), template);
  await writeFile(join(folder, 'generation_config.json'), '{"eos_token_id": [3, 5]}');
});
afterAll(() => rm(folder, { recursive: true }));

async function blobs(...without: string[]): Promise<Map<string, Blob>> {
  const names = (await readdir(folder)).filter(name => !without.includes(name));
  return new Map(
    await Promise.all(names.map(async name => [name, new Blob([await readFile(join(folder, name))])] as const)),
  );
}

describe('loadPretrained', () => {
  it('gives model, tokenizer, chat template and end tokens of a folder', async () => {
    const { model, tokenizer, chatTemplate, endTokens } = await loadPretrained(folder);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(chatTemplate?.render([{ role: 'user', content: 'Hello' }])).toBe('user: Hello\n');
    expect(endTokens).toEqual(expect.arrayContaining([3, 5]));
    expect(model.source).toBe(folder);
    model.dispose();
  });

  it('gives no chat template where the model has none', async () => {
    const pretrained = await loadPretrained(austen);
    expect('chatTemplate' in pretrained).toBe(false);
    expect(pretrained.endTokens).toEqual([pretrained.tokenizer.eosToken!.id]);
    pretrained.model.dispose();
  });

  it('takes the files as a browser has them', async () => {
    const { model, tokenizer, chatTemplate, endTokens } = await loadPretrained(await blobs());
    const there = await loadPretrained(folder);
    expect(tokenizer.encode(text)).toEqual(there.tokenizer.encode(text));
    expect(chatTemplate?.source).toBe(template);
    expect(endTokens).toEqual(there.endTokens);
    model.dispose();
    there.model.dispose();
  });

  it('fetches a hub id, in the revision that is wanted', async () => {
    const files: Record<string, Uint8Array> = {};
    for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name));
    const [main, v2] = ['a'.repeat(40), 'b'.repeat(40)];
    const hub = await startHubServer({
      'org/austen': { commits: { [main]: { 'config.json': files['config.json']! }, [v2]: files }, refs: { main, v2 } },
    });
    const cacheDirectory = await mkdtemp(join(tmpdir(), 'hub-'));
    try {
      const { model, tokenizer } = await loadPretrained('org/austen', {
        revision: 'v2',
        hub: { endpoint: hub.url, cacheDirectory, retry: { attempts: 1 } },
      });
      expect(model.source).toBe('org/austen');
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      model.dispose();
    } finally {
      await hub.close();
      await rm(cacheDirectory, { recursive: true });
    }
  });

  it('loads a model whose chat template is damaged, and says so when a conversation is written', async () => {
    const files = await blobs();
    files.set('chat_template.jinja', new Blob(['{% for %}']));
    const { model, tokenizer, chatTemplate } = await loadPretrained(files);
    expect(tokenizer.encode(text).length).toBeGreaterThan(0);
    expect(() => chatTemplate?.render([{ role: 'user', content: 'Hello' }])).toThrow('template');
    model.dispose();
  });

  it('says what is missing before it reads the weights', async () => {
    await expect(loadPretrained(await blobs('tokenizer.json'))).rejects.toThrow(
      'there is no tokenizer.json among the files',
    );
    await expect(loadPretrained('nowhere/model.gguf')).rejects.toThrow('there is no file nowhere/model.gguf');
    await expect(loadPretrained(folder, { weight: 'int8' } as never)).rejects.toThrow(
      "loadPretrained() does not know the option 'weight'",
    );
    await expect(loadPretrained(folder, { weights: 'int3' as never })).rejects.toThrow('int3');
  });
});
