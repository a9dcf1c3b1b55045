import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { compose } from '@dropbp/compose';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { commands } from '../../../packages/cli/src/commands.ts';
import { runCommandLine } from '../../../packages/cli/src/flags/runCommandLine.ts';
import { fakeTerminal } from '../../../packages/cli/test/fakeTerminal.ts';
import { writeTinyModel } from '../../../packages/cli/test/tinyModelFolder.ts';
import { scratchFolder } from './scratch.ts';

const fixtures = fileURLToPath(new URL('../../../packages/', import.meta.url));
const bin = `${fixtures}cli/src/bin.ts`;
export const CHAT_TEMPLATE = `{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`;

/** What the command was asked to do, and with which of its files exchanged. */
export interface CommandCase {
  readonly args: readonly string[];
  /** A file of the world, and what it holds instead, in base64. */
  readonly file?: string;
  readonly content?: string;
}

/** What the command did. */
export interface CommandOutcome {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
  /** Files that are not below `--out` and came, went or changed. */
  readonly touched: readonly string[];
}

/** A folder with a file of each kind that the command reads, and a home: nothing else is to be written. */
export interface World {
  /** A file's content. */
  read(file: string): Uint8Array;
  /** Runs a command in it, in this process or in one of its own, and puts everything back. */
  run(given: CommandCase, inProcess: boolean): Promise<CommandOutcome>;
}

export async function makeWorld(): Promise<World> {
  const pristine = scratchFolder('pristine');
  const root = scratchFolder('world');
  await fillWorld(pristine);
  const [folder, home] = [join(root, 'here'), join(root, 'home')];
  const reset = (): void => {
    for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true, force: true });
    cpSync(pristine, folder, { recursive: true });
    mkdirSync(home);
  };
  reset();
  return {
    read: file => new Uint8Array(readFileSync(join(pristine, file))),
    async run({ args, file, content }, inProcess) {
      if (file !== undefined) writeFileSync(join(folder, file), Buffer.from(content ?? '', 'base64'));
      const before = filesOf(root);
      const did = inProcess ? await runHere(args, folder, home) : runApart(args, folder, home);
      const after = filesOf(root);
      const own = args.flatMap((arg, i) => (args[i - 1] === '--out' ? [resolve(folder, arg)] : arg.startsWith('--out=') ? [resolve(folder, arg.slice(6))] : [])); // prettier-ignore
      const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
        path => before.get(path) !== after.get(path),
      );
      if (file !== undefined || changed.length > 0) reset();
      const isOwn = (path: string): boolean => own.some(folder => path === folder || path.startsWith(folder + sep));
      return { ...did, touched: changed.filter(path => !isOwn(path)).map(path => path.slice(root.length)) };
    },
  };
}

async function fillWorld(folder: string): Promise<void> {
  await writeTinyModel(join(folder, 'model'), { layers: 1, width: 16 });
  writeFileSync(join(folder, 'model/chat_template.jinja'), CHAT_TEMPLATE);
  const model = await loadModel(join(folder, 'model'));
  const tuned = compose(model, lora({ rank: 2, targetModules: ['q_proj', 'v_proj'] }));
  await tuned.save(join(folder, 'adapter'));
  tuned.dispose();
  model.dispose();
  const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('');
  const chat = (i: number): object[] => [
    { role: 'user', content: `${i}?` },
    { role: 'assistant', content: `${i}!` },
  ];
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const each = <T>(make: (i: number) => T): T[] => Array.from({ length: 6 }, (_, i) => make(i));
  write('chats.jsonl', lines(each(i => ({ messages: chat(i) }))));
  write('rows.jsonl', lines(each(i => ({ prompt: `${i} + 1 =`, completion: ` ${i + 1}` }))));
  write('rows.json', JSON.stringify(each(i => ({ text: `text ${i}` }))));
  write('rows.csv', `prompt,completion\n${each(i => `"${i}?",a${i}\n`).join('')}`);
  write('text.txt', 'It is a truth universally acknowledged. '.repeat(20));
  write('arc.jsonl', lines(each(i => ({ id: `${i}`, question: `${i}?`, choices: { text: ['a', 'b'], label: ['A', 'B'] }, answerKey: 'A' })))); // prettier-ignore
  write('run.yaml', 'model: model\ndata:\n  - rows.jsonl\nrank: 2\nlearningRate: 1e-3 # high\nrslora: true\nsteps: 1\nrate: 0.5\nbackend: cpu\n'); // prettier-ignore
  cpSync(`${fixtures}data/test/fixtures/parquet/snappy.parquet`, join(folder, 'rows.parquet'));
  cpSync(`${fixtures}models/test/fixtures/gguf/llama.gguf`, join(folder, 'model.gguf'));
  const { code, notes } = await runHere(
    ['train', '--model', 'model', '--data', 'rows.jsonl', '--out', 'run', '--steps', '2', '--backend', 'cpu'],
    folder,
    folder,
  );
  if (code !== 0) throw new Error(`the run of the world failed: ${notes}`);
}

async function runHere(args: readonly string[], cwd: string, home: string): Promise<Omit<CommandOutcome, 'touched'>> {
  const terminal = fakeTerminal();
  const env = process.env;
  const before = process.cwd();
  const fetching = Object.getOwnPropertyDescriptor(globalThis, 'fetch')!;
  const consoles = ['log', 'info', 'warn', 'error'] as const;
  const kept = Object.getOwnPropertyDescriptors(console);
  // Nothing is to be asked of a network, and whatever is printed is looked at.
  globalThis.fetch = () => Promise.reject(new TypeError('fetch failed'));
  for (const name of consoles) console[name] = (...said: unknown[]) => terminal.notes(`${said.join(' ')}\n`);
  process.chdir(cwd);
  process.env = { ...env, HOME: home, TMPDIR: home };
  try {
    const code = await runCommandLine({ commands, version: '0.0.0', args, terminal });
    return { code, ...terminal.written };
  } finally {
    process.chdir(before);
    Object.defineProperty(globalThis, 'fetch', fetching);
    Object.defineProperties(console, kept);
    process.env = env;
    tf.disposeVariables();
  }
}

function runApart(args: readonly string[], cwd: string, home: string): Omit<CommandOutcome, 'touched'> {
  const tsx = fileURLToPath(import.meta.resolve('tsx'));
  const tsconfig = `${fixtures}../tsconfig.json`;
  const env = { PATH: process.env.PATH, HOME: home, TSX_TSCONFIG_PATH: tsconfig, TSX_DISABLE_CACHE: '1', HF_HUB_OFFLINE: '1', ORT_DISABLE_TELEMETRY: '1' }; // prettier-ignore
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, bin, ...args], {
    ...{ cwd, env, encoding: 'utf8', input: '', timeout: 30_000 },
  });
  return { code: status, out: stdout, notes: stderr };
}

/** Every file below a folder, with what tells that it changed. */
function filesOf(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { size, mtimeMs } = statSync(path);
    if (entry.isFile()) files.set(path, `${size} ${mtimeMs}`);
  }
  return files;
}
