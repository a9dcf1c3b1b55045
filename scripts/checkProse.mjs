// Checks the words that people read: README files, docs, help texts, errors and public docstrings. `node scripts/checkProse.mjs`.
//
//     --list [PATH]   shows every finding, or those of the files that begin so
//     --lower         writes the exceptions anew where files have fewer findings than are allowed
//     --measure FILE  writes words a sentence, by kind, into a JSON file under the commit that is looked at
//
// scripts/proseExceptions.json holds how many findings a file may have. More fails, and so do fewer: the list only shrinks.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packPackages.mjs';
import { compareCounts, findingsOf, markdownTexts, sourceTexts, summarise } from './prose/index.mjs';

const exceptionsFile = join(root, 'scripts/proseExceptions.json');
const args = process.argv.slice(2);
const after = flag => (args.includes(flag) ? (args[args.indexOf(flag) + 1] ?? '') : undefined);

const texts = trackedFiles().flatMap(file => {
  const content = readFileSync(join(root, file), 'utf8');
  return (file.endsWith('.md') ? markdownTexts : sourceTexts)(file, content);
});
const findings = texts.flatMap(findingsOf);
const counts = {};
for (const { file } of findings) counts[file] = (counts[file] ?? 0) + 1;

const summary = summarise(texts);
for (const { kind, sentences, median, ninetieth } of summary)
  console.log(`${kind}: ${sentences} sentences; words a sentence: median ${median}, 90th percentile ${ninetieth}`);

const listed = after('--list');
if (listed !== undefined)
  for (const { file, line, rule, text } of findings)
    if (file.startsWith(listed)) console.log(`${file}:${line} ${rule}: ${text}`);

const measured = after('--measure');
if (measured !== undefined) measureInto(join(root, measured));

const allowed = existsSync(exceptionsFile) ? JSON.parse(readFileSync(exceptionsFile, 'utf8')) : counts;
const { wrong, lowered } = compareCounts(counts, allowed);
if (args.includes('--lower')) writeFileSync(exceptionsFile, `${JSON.stringify(lowered, undefined, 2)}\n`);
const shown = args.includes('--lower') ? compareCounts(counts, lowered).wrong : wrong;
for (const line of shown) console.error(line);
console.log(`prose: ${findings.length} findings in ${Object.keys(counts).length} files, ${shown.length} files wrong`);
process.exitCode = shown.length > 0 ? 1 : 0;

function trackedFiles() {
  const patterns = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/*.md', 'packages/*/README.md'];
  const more = ['examples/*.md', 'bench/README.md', 'models/*.md', 'packages/*/src/*.ts'];
  const list = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...patterns, ...more],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const isProse = file => file !== '' && !/\.(test|d)\.ts$/.test(file) && existsSync(join(root, file));
  return [...new Set(list.split('\0'))].filter(isProse).sort();
}

/** Keeps the first measurement, which the last is compared with. */
function measureInto(file) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const now = { commit, findings: findings.length, kinds: summary };
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).before : now;
  writeFileSync(
    file,
    `${JSON.stringify({ command: 'node scripts/checkProse.mjs', before, after: now }, undefined, 2)}\n`,
  );
}
