// Checks what the repository holds: no large file, nowhere the address of a package registry, and no pnpm but the one of package.json.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const maxBytes = 10 * 2 ** 20;
const registry = /https?:\/\/[\w.@:-]*(registry|pypi|mirror|artifactory|nexus|verdaccio)[\w.:-]*|\btarball:.*/i;
// Whatever npx finds without a version may be another one, and asks before it fetches.
const loosePnpm = /npx( -y| --yes)?[\s"'`,[]+pnpm(?!@)\b/;

const root = fileURLToPath(new URL('..', import.meta.url));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
const files = tracked.filter(file => file !== '' && existsSync(join(root, file)));
const wrong = files.flatMap(file => {
  const { size } = statSync(join(root, file));
  if (size > maxBytes) return [`${file} is larger than 10 MiB: ${(size / 2 ** 20).toFixed(1)} MiB`];
  const text = readFileSync(join(root, file), 'latin1');
  const address = registry.exec(text)?.[0];
  const others = [...text.matchAll(/\bpnpm@\d[\w.-]*/g)].map(([name]) => name).filter(name => name !== packageManager);
  return [
    ...(address === undefined ? [] : [`${file} names a registry: ${address}`]),
    ...(loosePnpm.test(text) ? [`${file} runs pnpm without a version: npx --yes ${packageManager}`] : []),
    ...others.map(name => `${file} names ${name}; package.json has ${packageManager}`),
  ];
});
for (const line of wrong) console.error(line);
console.log(`files: ${files.length} tracked, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;
