// Checks what the repository holds: no large file, and nowhere the address of a package registry.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const maxBytes = 10 * 2 ** 20;
const registry = /https?:\/\/[\w.@:-]*(registry|pypi|mirror|artifactory|nexus|verdaccio)[\w.:-]*|\btarball:.*/i;

const root = fileURLToPath(new URL('..', import.meta.url));
const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
const files = tracked.filter(file => file !== '' && existsSync(join(root, file)));
const wrong = files.flatMap(file => {
  const { size } = statSync(join(root, file));
  if (size > maxBytes) return [`${file} is larger than 10 MiB: ${(size / 2 ** 20).toFixed(1)} MiB`];
  const address = registry.exec(readFileSync(join(root, file), 'latin1'))?.[0];
  return address === undefined ? [] : [`${file} names a registry: ${address}`];
});
for (const line of wrong) console.error(line);
console.log(`files: ${files.length} tracked, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;
