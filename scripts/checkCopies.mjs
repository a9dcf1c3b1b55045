// Finds lines that are written twice: nine or more in a row, imports, comments and brackets aside.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const least = 9;
// Tests may repeat what they set up, and examples stand alone.
const isLeftOut = path => /\.test\.ts$|\/test\/|^test\/|^examples\/|\.generated\.|fixtures/.test(path);

const root = fileURLToPath(new URL('..', import.meta.url));
const files = execFileSync('git', ['ls-files', '--', '*.ts', '*.mjs', '*.js'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter(path => path !== '' && !isLeftOut(path) && existsSync(root + path));

const pages = files.map(path => ({ path, lines: tellingLines(readFileSync(root + path, 'utf8')) }));
const seen = new Map();
const copies = [];
for (const page of pages) {
  for (let at = 0; at + least <= page.lines.length; at++) {
    const key = page.lines
      .slice(at, at + least)
      .map(({ text }) => text)
      .join('\n');
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, { page, at });
      continue;
    }
    const length = commonLength(first, { page, at });
    copies.push(`${place(first)} and ${place({ page, at })}: ${length} lines`);
    at += length - 1;
  }
}
for (const copy of copies) console.error(copy);
console.log(`copies: ${files.length} files, ${copies.length === 0 ? 'nothing is written twice' : copies.length}`);
process.exitCode = copies.length > 0 || files.length === 0 ? 1 : 0;

function commonLength(a, b) {
  let length = least;
  const same = () => {
    const text = a.page.lines[a.at + length]?.text;
    return text !== undefined && text === b.page.lines[b.at + length]?.text;
  };
  while (same()) length++;
  return length;
}

function place({ page, at }) {
  return `${page.path}:${page.lines[at].number}`;
}

/** The lines that say something, with their numbers. */
function tellingLines(text) {
  const plain = text
    .replaceAll(/\/\*.*?\*\//gs, comment => comment.replaceAll(/[^\n]/g, ''))
    .replaceAll(/^(?:import|export) (?:type )?\{[^}]*\} from [^;]*;$/gm, names => names.replaceAll(/[^\n]/g, ''));
  return plain
    .split('\n')
    .map((line, i) => ({ text: line.trim(), number: i + 1 }))
    .filter(({ text }) => /\w{2}/.test(text) && !/^(?:import\b|\/\/|export \{|return;?$)/.test(text));
}
