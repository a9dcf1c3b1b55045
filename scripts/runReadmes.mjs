// Runs the code of every README and of docs/ on the built packages, and checks its types. `node scripts/runReadmes.mjs train` runs
// only that of packages/train; the root's is called `project`, that of docs/ `docs`. The blocks lie in out/readmes. Links of all pages
// must lead to a file, or to a heading of one, and each claim in CONTRIBUTING.md to what proves it.
//
// ```ts          is a program
// ```ts <path>   is quoted from that file, and compared with it
// ```sh          of docs/ is run where its lines begin with `npx dropbp`
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { commandOf, root } from './packPackages.mjs';

const out = join(root, 'out/readmes');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
// The examples depend on every package, so what they can import, a README can.
symlinkSync(join(root, 'examples/node_modules'), join(out, 'node_modules'), 'junction');
writeFileSync(join(out, 'package.json'), '{ "type": "module" }\n');

const wanted = process.argv.slice(2);
const pages = [
  ['project', 'README.md'],
  ...readdirSync(join(root, 'packages')).map(name => [name, `packages/${name}/README.md`]),
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => ['docs', `docs/${name}`]),
].filter(([name, path]) => existsSync(join(root, path)) && (wanted.length === 0 || wanted.includes(name)));

const failed = [];
let ran = 0;
for (const path of wanted.length === 0 ? markdownFiles() : pages.map(([, path]) => path))
  for (const broken of brokenLinks(path)) fail(`${path}: there is no ${broken}`);
for (const name of readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md') && name !== 'README.md'))
  if (!readFileSync(join(root, 'docs/README.md'), 'utf8').includes(`](${name})`))
    fail(`docs/README.md does not list ${name}`);
for (const promise of unproven('CONTRIBUTING.md')) fail(`CONTRIBUTING.md: nothing is linked that proves: ${promise}`);
for (const [name, path] of pages) {
  for (const block of blocksOf(path)) {
    const steps = stepsOf(name, path, block);
    if (steps.length === 0) continue;
    console.log(`--- ${path}:${block.line}`);
    ran++;
    if (!steps.every(step => step())) fail(`${path}:${block.line}`);
  }
}
console.log('--- types');
if (!runs('tsc', '--noEmit', '-p', 'tsconfig.built.json')) fail('types');
console.log(failed.length === 0 ? `${ran} blocks ran` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 || ran === 0 ? 1 : 0;

function fail(what) {
  failed.push(what);
  console.error(`FAILED ${what}`);
}

/** The fenced blocks of a page, with the line that each begins at. */
function blocksOf(path) {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map((match, i) => {
    const [, language, source, code] = match;
    return { language, source, code, number: i + 1, line: text.slice(0, match.index).split('\n').length };
  });
}

/** What to do for a block: functions that say whether it went well. */
function stepsOf(name, path, { language, source, code, number }) {
  if (language === 'ts' && source !== undefined) return [() => isQuoted(code, source)];
  if (language === 'ts') {
    const page = path.startsWith('docs/') ? `docs-${path.slice(5, -3)}` : name;
    const file = `${page}-${number}.ts`;
    writeFileSync(join(out, file), code);
    return [() => runs('tsx', '--tsconfig', 'tsconfig.built.json', `out/readmes/${file}`)];
  }
  const commands = code.split('\n').filter(line => line.startsWith('npx dropbp '));
  if (language !== 'sh' || name !== 'docs') return [];
  return commands.map(command => () => {
    // What an earlier run wrote; a command that goes on needs it.
    const place = command.includes('--resume') ? undefined : / --out (out\/\S+)/.exec(command)?.[1];
    if (place !== undefined) rmSync(join(root, place), { recursive: true, force: true });
    const line = `"${process.execPath}" packages/cli/bin/dropbp.js ${command.slice('npx dropbp '.length)}`;
    return spawnSync(line, { cwd: root, stdio: 'inherit', shell: true }).status === 0;
  });
}

/** Whether the lines stand in the file one after the other, whatever their indentation. */
function isQuoted(code, source) {
  const plain = text =>
    `\n${text
      .split('\n')
      .map(line => line.trim())
      .filter(Boolean)
      .join('\n')}\n`;
  return existsSync(join(root, source)) && plain(readFileSync(join(root, source), 'utf8')).includes(plain(code));
}

/** Every page of the repository. */
function markdownFiles() {
  const { stdout } = spawnSync('git', ['ls-files', '--', '*.md'], { cwd: root, encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter(path => path !== '' && !path.startsWith('.changeset/') && existsSync(join(root, path)));
}

/** Links and pictures of a page that lead to no file of the repository, or to no heading of it. */
function brokenLinks(path) {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/^```.*?^```$/gms, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(
    ([, link, picture]) => link ?? picture,
  );
  return targets.filter(target => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file, heading] = target.split('#');
    const found = file === '' ? join(root, path) : join(root, dirname(path), file);
    if (!existsSync(found) || heading === undefined) return !existsSync(found);
    return !headingsOf(statSync(found).isDirectory() ? join(found, 'README.md') : found).includes(heading);
  });
}

/** The headings of a page, as links name them. */
function headingsOf(file) {
  return [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Rows of the table of promises that link to nothing. */
function unproven(path) {
  const [, table] = /^\| what \| proven by \|\n((?:\|.*\n)+)/m.exec(readFileSync(join(root, path), 'utf8'));
  const rows = table.trimEnd().split('\n').slice(1);
  return rows.filter(row => !/\]\([^)]+\) *[|,]/.test(row)).map(row => row.split('|')[1].trim());
}

function runs(command, ...args) {
  return (
    spawnSync(commandOf(command), args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' }).status ===
    0
  );
}
