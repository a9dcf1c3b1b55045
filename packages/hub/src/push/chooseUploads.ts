import { problem } from '@dropbp/basics';
import { hostModules } from '../cache/hostModules.ts';
import { listFiles } from '../list/chooseFiles.ts';

/** A file to upload. */
export interface Upload {
  /** Its path in the repository. */
  readonly path: string;
  readonly content: UploadContent;
  /** The SHA-256 of its content. */
  readonly sha256: string;
  /** The SHA-1 of its Git blob. */
  readonly gitBlob: string;
}

/** A file of the disk, or a text. */
export type UploadContent = { readonly file: string } | { readonly text: string };

const ofAdapters = /^adapter_(config\.json|model\.safetensors)$/;
const ofModels = /^((generation_)?config\.json|model[\w.-]*\.safetensors(\.index\.json)?)$/;
const beside =
  /^(README\.md|LICENSE[\w.-]*|(tokenizer|special_tokens_map|added_tokens|vocab|merges|spiece|chat_template)[\w.]*)$/;

const TEMPLATES = 'additional_chat_templates';

/** What of a folder is uploaded, and what is not. */
export interface ChosenUploads {
  readonly kind: 'adapter' | 'model';
  /** Paths of files in the folder, with slashes, the weights last. */
  readonly files: readonly string[];
  readonly leftOut: readonly string[];
}

/**
 * Picks the files of an adapter or a model in a folder.
 *
 * @throws Problem if the folder holds neither, or lacks its weights
 */
export async function chooseUploads(folder: string): Promise<ChosenUploads> {
  const { fs, path } = hostModules();
  const names = (await fs.readdir(folder)).sort();
  const isAdapter = names.includes('adapter_config.json');
  const own = isAdapter ? ofAdapters : ofModels;
  const files: string[] = [];
  const leftOut: string[] = [];
  for (const name of names) {
    const stat = await fs.stat(path.join(folder, name));
    if (stat.isDirectory() && name === TEMPLATES) {
      const templates = (await fs.readdir(path.join(folder, name))).filter(file => file.endsWith('.jinja')).sort();
      files.push(...templates.map(file => `${name}/${file}`));
      continue;
    }
    (stat.isFile() && (own.test(name) || beside.test(name)) ? files : leftOut).push(name);
  }
  const isWeights = (name: string): boolean => name.endsWith('.safetensors');
  const config = isAdapter ? 'adapter_config.json' : 'config.json';
  if (!files.includes(config) || !files.some(isWeights)) {
    throw problem('hub', {
      what: `${folder} holds neither an adapter nor a model as safetensors`,
      got: listFiles(new Set(names)),
      expected: 'adapter_config.json and adapter_model.safetensors, or config.json and model.safetensors',
    });
  }
  const order = [...files.filter(name => !isWeights(name)), ...files.filter(isWeights)];
  return { kind: isAdapter ? 'adapter' : 'model', files: order, leftOut };
}

/** Reads a file, or a text, for its checksums. */
export async function readUpload(path: string, content: UploadContent): Promise<Upload> {
  const { fs, crypto } = hostModules();
  const [sha256, git] = [crypto.createHash('sha256'), crypto.createHash('sha1')];
  const begin = (bytes: number): void => void git.update(`blob ${bytes}\0`);
  const take = (bytes: Uint8Array): void => {
    sha256.update(bytes);
    git.update(bytes);
  };
  if ('text' in content) {
    const bytes = new TextEncoder().encode(content.text);
    begin(bytes.length);
    take(bytes);
  } else {
    const file = await fs.open(content.file);
    try {
      begin((await file.stat()).size);
      const buffer = new Uint8Array(2 ** 20);
      for (;;) {
        const { bytesRead } = await file.read(buffer);
        if (bytesRead === 0) break;
        take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return { path, content, sha256: sha256.digest('hex'), gitBlob: git.digest('hex') };
}
