import { problem } from '@dropbp/basics';
import { commands } from '../../../packages/cli/src/commands.ts';
import { encodeText, decodeText, type Draw, type Mutate } from '../mutate/draw.ts';
import { mutateConfig, mutateCsv, mutateGzip, mutateSafetensors, mutateText } from '../mutate/files.ts';
import { mutateGguf } from '../mutate/gguf.ts';
import { mutateTemplate } from '../mutate/jinja.ts';
import { jsonLinesMutator, jsonMutator } from '../mutate/json.ts';
import { mutateParquet } from '../mutate/parquet.ts';
import { mutateTokenizer } from '../mutate/tokenizer.ts';
import type { FuzzTarget } from '../target.ts';
import { makeWorld, type CommandCase, type CommandOutcome, type World } from './world.ts';

const cpu = ['--backend', 'cpu'];
const training = ['train', '--model', 'model', '--out', 'out', '--steps', '1', ...cpu];
const short = ['--prompt', 'a', '--max-new-tokens', '2', '--temperature', '0', ...cpu];

/** Command lines that succeed, each with the files that it reads. */
const lines: readonly (readonly [args: readonly string[], files: readonly string[]])[] = [
  [['inspect', 'model'], ['model/config.json', 'model/model.safetensors', 'model/tokenizer.json']],
  [['inspect', 'model', '--json'], ['model/config.json', 'model/model.safetensors']],
  [['inspect', 'adapter'], ['adapter/adapter_config.json', 'adapter/adapter_model.safetensors']],
  [['inspect', 'model.gguf'], ['model.gguf']],
  [['inspect', 'run'], ['run/run.json', 'run/options.json', 'run/adapter/adapter_config.json']],
  [['report', 'run', '--out', 'page.html'], ['run/run.json', 'run/log.jsonl']],
  [['report', 'run', 'run', '--out', 'page.html'], ['run/run.json']],
  [['plan', '--model', 'model', '--no-probe'], ['model/config.json']],
  [['generate', '--model', 'model', ...short], ['model/config.json', 'model/tokenizer.json', 'model/tokenizer_config.json']],
  [['generate', '--model', 'model', '--adapter', 'adapter', ...short], ['adapter/adapter_config.json', 'adapter/adapter_model.safetensors']],
  [['generate', '--model', 'model', '--chat', ...short], ['model/chat_template.jinja', 'model/tokenizer_config.json']],
  [['evaluate', '--model', 'model', '--data', 'text.txt', ...cpu], ['text.txt', 'model/tokenizer.json']],
  [['evaluate', '--model', 'model', '--data', 'arc.jsonl', '--form', 'arc', ...cpu], ['arc.jsonl']],
  [['merge', '--model', 'model', '--adapter', 'adapter', '--out', 'merged', ...cpu], ['adapter/adapter_config.json', 'adapter/adapter_model.safetensors', 'model/config.json']],
  [[...training, '--dry-run', '--data', 'rows.jsonl'], ['rows.jsonl']],
  [[...training, '--dry-run', '--data', 'rows.json'], ['rows.json']],
  [[...training, '--dry-run', '--data', 'rows.csv'], ['rows.csv']],
  [[...training, '--dry-run', '--data', 'rows.parquet'], ['rows.parquet']],
  [[...training, '--dry-run', '--data', 'chats.jsonl'], ['chats.jsonl', 'model/chat_template.jinja']],
  [[...training, '--data', 'rows.jsonl'], ['rows.jsonl', 'model/config.json', 'model/tokenizer.json']],
  [['train', '--config', 'run.yaml', '--out', 'out'], ['run.yaml']],
  [['train', '--out', 'run', '--resume'], ['run/options.json', 'run/run.json', 'run/log.jsonl', 'run/adapter/adapter_config.json']],
]; // prettier-ignore

/** The command itself: only exit statuses 0, 1 and 2, no stack, no control characters, and nothing written but `--out`. */
export async function commandTargets(): Promise<FuzzTarget[]> {
  const world = await makeWorld();
  const inputs = lines.map(([args]) => encodeText(JSON.stringify({ args } satisfies CommandCase)));
  const target = (name: string, inProcess: boolean, share: number, timeMs: number): FuzzTarget => ({
    ...{ name, inputs, share, timeMs, pieces: ['--', '"', ',', '\\u001b[31m', 'out'] },
    mutate: (input, draw) =>
      encodeText(JSON.stringify(mutateCase(JSON.parse(decodeText(input)) as CommandCase, world, draw))),
    async run(input) {
      const given = caseOf(input);
      if (given === undefined) throw problem('cli', { what: 'the input is not a command line' });
      const did = await world.run(given, inProcess);
      check(given, did);
      if (did.code !== 0) throw problem('cli', { what: did.notes });
    },
  });
  return [target('dropbp', true, 0.1, 4_000), target('dropbp as a process', false, 0.002, 12_000)];
}

/** Undefined where bytes were damaged so that they are not a case, or name a file that is not of the world. */
function caseOf(input: Uint8Array): CommandCase | undefined {
  try {
    const given = JSON.parse(decodeText(input)) as CommandCase;
    const isLine = Array.isArray(given.args) && given.args.every(arg => typeof arg === 'string');
    const isKnown = given.file === undefined || lines.some(([, files]) => files.includes(given.file!));
    return isLine && isKnown && !given.args.some(isForbidden) ? given : undefined;
  } catch {
    return undefined;
  }
}

/** What a user may ask for and this process should not do: to write elsewhere, to start others, to take hours. */
function isForbidden(arg: string, at: number, args: readonly string[]): boolean {
  const [before = ''] = args.slice(at - 1, at);
  if (/^--(ranks|hosts|backend=|out=)/.test(arg) || arg.includes('\0')) return true;
  if (before === '--out') return !['out', 'merged', 'page.html', 'run', 'model', ''].includes(arg);
  if (/^--(steps|epochs|max-new-tokens|time|batch|seconds|minutes)$/.test(before)) return Number(arg) > 8;
  return false;
}

function mutateCase({ args }: CommandCase, world: World, draw: Draw): CommandCase {
  const [, files = []] = lines.find(([line]) => JSON.stringify(line) === JSON.stringify(args)) ?? [];
  const changed = draw.chance(0.3) ? mutateArgs(args, draw) : args;
  if (files.length === 0 || (changed !== args && draw.chance(0.5))) return { args: changed };
  const file = draw.pick(files);
  const content = mutatorOf(file)(world.read(file), draw);
  return { args: changed, file, content: Buffer.from(content).toString('base64') };
}

function mutatorOf(file: string): Mutate {
  const [, ending = ''] = /\.(\w+)$/.exec(file) ?? [];
  if (file.endsWith('tokenizer.json')) return mutateTokenizer;
  return {
    ...{ json: jsonMutator(), jsonl: jsonLinesMutator(), csv: mutateCsv, txt: mutateText, yaml: mutateConfig },
    ...{ safetensors: mutateSafetensors, gguf: mutateGguf, parquet: mutateParquet, jinja: mutateTemplate, gz: mutateGzip(mutateText) },
  }[ending]!; // prettier-ignore
}

const oddArgs = ['', '-1', '0', '1', '2', '0.5', '1e3', 'NaN', 'Infinity', '1e400', '9007199254740993', 'x', '--', '-', '/(a+)+$/', '/(/', 'a\u001b[31mb', '\u009b2J', 'a=b,c=d', '1,2-3', '3-1', 'all-linear', 'q_proj', 'none', 'auto', '../here', 'nowhere/x', '__proto__', 'constructor', 'x'.repeat(5_000), 'model', 'adapter', 'rows.jsonl', 'text.txt', 'run', '{}', '[]', '4GiB', '0B', 'text=prompt']; // prettier-ignore

function mutateArgs(args: readonly string[], draw: Draw): string[] {
  const flags = Object.keys(commands.find(({ name }) => name === args[0])?.flags ?? { json: 0 });
  const flag = (): string => `--${draw.pick(flags).replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
  const at = 1 + draw.below(args.length);
  const changes = [
    () => args.toSpliced(at, 1),
    () => args.toSpliced(at, 0, draw.pick(oddArgs)),
    () => args.toSpliced(at, 1, draw.pick(oddArgs)),
    () => [...args, flag(), draw.pick(oddArgs)],
    () => [...args, flag(), draw.pick(oddArgs), flag(), draw.pick(oddArgs)],
    () => [...args, `${flag()}=${draw.pick(oddArgs)}`],
    () => [...args, flag()],
    () => [draw.pick(commands).name, ...args.slice(1)],
  ];
  return draw.pick(changes)();
}

const CONTROL = /[^\P{Cc}\n\t]/u;

/** @throws Error for what the command must not do */
function check({ args, file }: CommandCase, { code, out, notes, touched }: CommandOutcome): void {
  const what = `${args.join(' ').slice(0, 200)}${file === undefined ? '' : ` with another ${file}`}`;
  if (code !== 0 && code !== 1 && code !== 2) throw new Error(`exit status ${code} of ${args[0]}: ${plain(notes)}\n${what}`); // prettier-ignore
  if (/\n {4}at /.test(notes)) throw new Error(`a stack on standard error of ${args[0]}: ${plain(notes)}\n${what}`);
  if (code === 2 && notes === '') throw new Error(`nothing is said of exit status 2\n${what}`);
  if (touched.length > 0)
    throw new Error(`'${touched.join(', ')}' was written outside of --out by ${args[0]}\n${what}`);
  // What a model writes is its own affair where it is not read on a screen.
  const said = args[0] === 'generate' ? notes : out + notes;
  const at = said.search(CONTROL);
  if (at >= 0) throw new Error(`a control character of ${args[0]}${file === undefined ? '' : ` from ${file}`}\n${JSON.stringify(said.slice(Math.max(0, at - 80), at + 20))}\n${what}`); // prettier-ignore
}

function plain(notes: string): string {
  return notes.slice(notes.search(/this is a fault/) + 1).split('\n').slice(1, 6).join('\n'); // prettier-ignore
}
