import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, openCheckpoint, saveCheckpoint, type TensorData } from '../src/index.ts';
import { fixtureJson, fixturePath } from './fixture.ts';

const indexName = 'model.safetensors.index.json';
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(directory, { recursive: true }));

const tensor = (...bytes: number[]): TensorData => ({
  dtype: 'U8',
  shape: [bytes.length],
  data: new Uint8Array(bytes),
});
const write = (name: string, content: string | Uint8Array) => writeFile(join(directory, name), content);
const writeIndex = (weightMap: unknown) => write(indexName, JSON.stringify({ weight_map: weightMap }));
const files = async () => (await readdir(directory)).sort();

describe('openCheckpoint', () => {
  it('says what it takes', async () => {
    for (const source of [undefined, null, 7, new Blob(['x'])]) {
      await expect(openCheckpoint(source as unknown as string)).rejects.toThrow(
        /openCheckpoint\(\) cannot open this; got .+; expected a directory, Blobs by name, or a list of Files; openSafetensors/,
      );
    }
  });
  it('reads a checkpoint of one file', async () => {
    await write('model.safetensors', encodeSafetensors({ a: tensor(1, 2) }, { metadata: { format: 'pt' } }));
    const checkpoint = await openCheckpoint(directory);
    expect(checkpoint.tensors.get('a')).toMatchObject({
      dtype: 'U8',
      shape: [2],
      sizeBytes: 2,
      file: 'model.safetensors',
    });
    expect(checkpoint.metadata).toEqual({ format: 'pt' });
    expect(await checkpoint.read('a')).toEqual(new Uint8Array([1, 2]));
    await expect(checkpoint.read('b')).rejects.toThrow(`${directory} has no tensor "b"`);
    await checkpoint.close();
    await expect(checkpoint.read('a')).rejects.toThrow('is closed');
  });

  it('prefers the one file where an index lies beside it', async () => {
    await cp(fixturePath('sharded'), directory, { recursive: true });
    await write('model.safetensors', encodeSafetensors({ a: tensor(1) }));
    const checkpoint = await openCheckpoint(directory);
    expect([...checkpoint.tensors.keys()]).toEqual(['a']);
    await checkpoint.close();
  });

  it('reads the shards that Python wrote, from a directory, Blobs or Files', async () => {
    const folder = fixturePath('sharded');
    const blobs = new Map<string, Blob>();
    for (const name of await readdir(folder))
      blobs.set(name, new Blob([new Uint8Array(await readFile(join(folder, name)))]));
    const picked = [...blobs].map(([name, blob]) => new File([blob], name));
    const expected = (fixtureJson('expected.json') as { files: Record<string, object> }).files;
    const names = Object.keys(expected)
      .filter(file => file.startsWith('sharded/'))
      .flatMap(file => Object.keys(expected[file]!));

    const [fromDisk, ...fromBlobs] = await Promise.all([
      openCheckpoint(folder),
      openCheckpoint(blobs),
      openCheckpoint(picked),
    ]);
    expect(names.length).toBe(5);
    expect([...fromDisk.tensors.keys()].sort()).toEqual(names.sort());
    expect(fromDisk.metadata).toEqual({ format: 'pt' });
    expect(fromDisk.notices).toEqual([]);
    for (const name of names) {
      const bytes = await fromDisk.read(name);
      expect(bytes.length).toBe(8);
      for (const other of fromBlobs) expect(await other.read(name)).toEqual(bytes);
    }
    expect(new Set([...fromDisk.tensors.values()].map(({ file }) => file)).size).toBe(3);
    await fromDisk.close();
  });

  it('refuses file names that lead elsewhere', async () => {
    await write('ok.safetensors', encodeSafetensors({ a: tensor(1) }));
    for (const file of [
      '../ok.safetensors',
      '/etc/passwd',
      'x/ok.safetensors',
      '..\\ok',
      'C:ok',
      '..',
      '.',
      '',
      'a\0b',
      3,
      null,
      ['x'],
    ]) {
      await writeIndex({ a: file });
      await expect(openCheckpoint(directory), String(file)).rejects.toThrow(
        `${indexName} places tensor "a" in a file with an unusable name`,
      );
    }
  });

  it('refuses an index that is not one', async () => {
    const refuses = async (text: string, message: string) => {
      await write(indexName, text);
      await expect(openCheckpoint(directory), text).rejects.toThrow(message);
    };
    await refuses('', `${indexName} is not valid JSON at character 0`);
    await refuses('{}', `${indexName} has no weight_map; expected an object of tensor names and file names`);
    await refuses('[]', 'has no weight_map');
    await refuses('{"weight_map":[]}', 'has no weight_map');
    await refuses('{"weight_map":{"a":"x","a":"y"}}', `${indexName} names "a" twice`);
    await refuses(
      '{"weight_map":{"a":"x.safetensors"}}',
      `${directory} lacks x.safetensors, which holds tensor "a"; fetch the missing file`,
    );
  });

  it('refuses shards that disagree with the index or each other', async () => {
    await write('x.safetensors', encodeSafetensors({ a: tensor(1) }));
    await write('y.safetensors', encodeSafetensors({ b: tensor(2) }));
    await writeIndex({ a: 'x.safetensors', b: 'x.safetensors' });
    await expect(openCheckpoint(directory)).rejects.toThrow(
      `${directory}: tensor "b" is not in the file that the index names; got null; expected x.safetensors.`,
    );
    await writeIndex({ a: 'y.safetensors', b: 'x.safetensors' });
    await expect(openCheckpoint(directory)).rejects.toThrow('got "x.safetensors"; expected y.safetensors');
    await write('y.safetensors', encodeSafetensors({ a: tensor(1), b: tensor(2) }));
    await writeIndex({ a: 'x.safetensors', b: 'y.safetensors' });
    await expect(openCheckpoint(directory)).rejects.toThrow(
      'tensor "a" is in two files of the checkpoint; got ["x.safetensors","y.safetensors"]',
    );
    await write('y.safetensors', 'not one');
    await expect(openCheckpoint(directory)).rejects.toThrow(`${join(directory, 'y.safetensors')} is too short`);
  });

  it('reads a tensor that the index forgot, with a notice', async () => {
    await write('x.safetensors', encodeSafetensors({ a: tensor(1), b: tensor(2) }));
    await writeIndex({ a: 'x.safetensors' });
    const checkpoint = await openCheckpoint(directory);
    expect(await checkpoint.read('b')).toEqual(new Uint8Array([2]));
    expect(checkpoint.notices).toEqual([`${directory}: tensor "b" of x.safetensors is not in the index`]);
    await checkpoint.close();
  });

  it('says what is there instead of a checkpoint', async () => {
    await expect(openCheckpoint(directory)).rejects.toThrow(
      `${directory} holds no checkpoint; got []; expected model.safetensors or ${indexName}.`,
    );
    await write('pytorch_model.bin', '');
    await expect(openCheckpoint(directory)).rejects.toThrow('got ["pytorch_model.bin"]');
    await expect(openCheckpoint(directory)).rejects.toThrow(
      'convert pickles with Python: save_pretrained() writes safetensors',
    );
    await expect(openCheckpoint(join(directory, 'no'))).rejects.toThrow('cannot be read');
    await expect(openCheckpoint(join(directory, 'pytorch_model.bin'))).rejects.toThrow(
      'is not a directory; openSafetensors() takes a file',
    );
  });
});

describe('saveCheckpoint', () => {
  const sized = (sizes: readonly number[]) =>
    new Map(sizes.map((size, i) => [`t${i}`, tensor(...Array.from({ length: size }, () => i))]));

  it('writes one file where it fits', async () => {
    expect(await saveCheckpoint(join(directory, 'deep', 'er'), sized([3, 3]))).toEqual(['model.safetensors']);
    const checkpoint = await openCheckpoint(join(directory, 'deep', 'er'));
    expect(checkpoint.metadata).toEqual({ format: 'pt' });
    expect(await checkpoint.read('t1')).toEqual(new Uint8Array([1, 1, 1]));
    await checkpoint.close();
  });

  it('divides tensors as huggingface_hub does', async () => {
    const { shardPlans } = fixtureJson('expected.json') as {
      shardPlans: { sizes: number[]; maxShardBytes: number; files: Record<string, string[]> }[];
    };
    expect(shardPlans.length).toBeGreaterThan(20);
    for (const { sizes, maxShardBytes, files: plan } of shardPlans) {
      const written = await saveCheckpoint(directory, sized(sizes), { maxShardBytes });
      expect(written.filter(file => file !== indexName)).toEqual(Object.keys(plan));
      expect(await files()).toEqual(written.sort());
      const checkpoint = await openCheckpoint(directory);
      const found: Record<string, string[]> = {};
      for (const [name, { file }] of checkpoint.tensors) (found[file] ??= []).push(name);
      const sorted = (byFile: Record<string, string[]>) =>
        Object.fromEntries(Object.entries(byFile).map(([f, n]) => [f, n.toSorted()]));
      expect(sorted(found), JSON.stringify(sizes)).toEqual(sorted(plan));
      await checkpoint.close();
    }
  });

  it('writes the index that Python writes', async () => {
    const source = await openCheckpoint(fixturePath('sharded'));
    const tensors = new Map(
      [...source.tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape, data: () => source.read(name) }]),
    );
    await saveCheckpoint(directory, tensors, { maxShardBytes: 16 });
    await source.close();
    expect(await files()).toEqual((await readdir(fixturePath('sharded'))).sort());
    for (const file of await files()) {
      expect(await readFile(join(directory, file)), file).toEqual(await readFile(join(fixturePath('sharded'), file)));
    }
  });

  it('removes what an older checkpoint left, and nothing else', async () => {
    await write('notes.txt', '');
    await write('model-card.safetensors', '');
    const others = ['model-card.safetensors', 'notes.txt'];
    await saveCheckpoint(directory, sized([5, 5, 5]), { maxShardBytes: 5 });
    expect(await files()).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      others[0],
      indexName,
      others[1],
    ]);
    await saveCheckpoint(directory, sized([5]));
    expect(await files()).toEqual(['model-card.safetensors', 'model.safetensors', 'notes.txt']);
    await saveCheckpoint(directory, sized([5, 5]), { maxShardBytes: 5 });
    expect(await files()).not.toContain('model.safetensors');
  });

  it('leaves the old checkpoint readable when it fails in the middle', async () => {
    const broken = { ...tensor(1, 2, 3), data: () => Promise.reject(new Error('gone')) };
    for (const maxShardBytes of [3, 100]) {
      await saveCheckpoint(directory, sized([2, 2]));
      await expect(saveCheckpoint(directory, { a: tensor(1, 2, 3), b: broken }, { maxShardBytes })).rejects.toThrow(
        'gone',
      );
      const checkpoint = await openCheckpoint(directory);
      expect([...checkpoint.tensors.keys()]).toEqual(['t0', 't1']);
      await checkpoint.close();
    }
  });

  it('refuses wrong options before it writes', async () => {
    await expect(saveCheckpoint(directory, {}, { maxShardSize: 3 } as object)).rejects.toThrow("'maxShardSize'");
    for (const maxShardBytes of [0, -1, NaN, '5' as unknown as number]) {
      await expect(saveCheckpoint(directory, {}, { maxShardBytes })).rejects.toThrow('maxShardBytes is not usable');
    }
    await expect(saveCheckpoint(directory, { a: tensor(1), b: { ...tensor(1), shape: [-1] } })).rejects.toThrow(
      'unusable shape',
    );
    expect(await files()).toEqual([]);
  });
});
