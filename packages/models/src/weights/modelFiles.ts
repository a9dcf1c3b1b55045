import { errorCode, nodeModule, problem, readIfThere } from '@dropbp/basics';
import { openCheckpoint, type Checkpoint } from '@dropbp/safetensors';

/** The files of a model as a browser has them: Blobs by name, or Files as a file picker gives them. */
export type BlobSource = ReadonlyMap<string, Blob> | Iterable<File>;

/** Where the files of a model lie. */
export interface ModelFiles {
  /** For messages. */
  readonly name: string;
  /** Opens the weights. Close them. */
  openCheckpoint(): Promise<Checkpoint>;
  /** The names that are there now; none where a folder is gone. */
  list(): Promise<string[]>;
  read(name: string): Promise<Uint8Array>;
}

/** The files of a folder (Node). */
export function folderFiles(folder: string): ModelFiles {
  const path = nodeModule('models', 'node:path');
  const fs = nodeModule('models', 'node:fs/promises');
  return {
    name: folder,
    openCheckpoint: () => openCheckpoint(folder),
    async list() {
      try {
        return await fs.readdir(folder);
      } catch (error) {
        const code = errorCode(error);
        if (code === 'ENOENT') return [];
        throw code === undefined
          ? error
          : problem('models', { what: `${folder} cannot be read (${code})`, cause: error });
      }
    },
    async read(name) {
      const bytes = await readIfThere('models', path.join(folder, name));
      if (bytes !== undefined) return bytes;
      throw problem('models', { what: `${folder}: there is no ${name}` });
    },
  };
}

/** Files as a browser has them, by their names. */
export function blobsByName(source: BlobSource): ReadonlyMap<string, Blob> {
  if (source instanceof Map) return source as ReadonlyMap<string, Blob>;
  return new Map([...(source as Iterable<File>)].map(file => [file.name, file]));
}

/** As much as is read of a file on a disk. */
const MOST_BLOB_BYTES = 2 ** 28;

/** Files that are given as Blobs. */
export function blobFiles(blobs: ReadonlyMap<string, Blob>): ModelFiles {
  return {
    name: 'the files',
    openCheckpoint: () => openCheckpoint(blobs),
    list: () => Promise.resolve([...blobs.keys()]),
    async read(name) {
      const blob = blobs.get(name)!;
      if (blob.size <= MOST_BLOB_BYTES) return new Uint8Array(await blob.arrayBuffer());
      throw problem('models', {
        what: `${name} is too large`,
        got: blob.size,
        expected: `at most ${MOST_BLOB_BYTES} bytes`,
      });
    },
  };
}

/**
 * The object in a JSON file.
 *
 * @throws Problem if there is no such file, or something else is in it
 */
export async function readJsonObject(files: ModelFiles, name: string): Promise<Record<string, unknown>> {
  const names = await files.list();
  if (!names.includes(name)) {
    const fix = otherThanModel(names);
    throw problem('models', {
      what: `${files.name}: there is no ${name}`,
      expected: 'the files of a Hugging Face model',
      ...(fix !== undefined && { fix }),
    });
  }
  const text = new TextDecoder().decode(await files.read(name));
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw problem('models', { what: `${files.name}: ${name} is not JSON`, fix: 'fetch the file again', cause });
  }
  throw problem('models', { what: `${files.name}: ${name} holds no object`, got: text, expected: 'a JSON object' });
}

/** What to do with files that are none of a model. */
function otherThanModel(names: readonly string[]): string | undefined {
  if (names.includes('adapter_config.json')) {
    return 'this is an adapter: load the model that its adapter_config.json names, and the adapter onto it by loadAdapter()';
  }
  const gguf = names.find(name => name.endsWith('.gguf'));
  return gguf === undefined ? undefined : `a GGUF file is loaded by its own path: '${gguf}'`;
}
