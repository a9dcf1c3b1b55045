// Checks every example's types with the tsconfig.json that docs/getting-started.md gives, and runs it, on the built packages, as users
// have them. Slow ones take QUICK=1.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf, root } from './packPackages.mjs';

const examples = readdirSync(join(root, 'examples')).filter(file => file.endsWith('.ts'));
const [, documented] = /```json\n(\{\n  "compilerOptions"[^`]*)```/.exec(
  readFileSync(join(root, 'docs/getting-started.md'), 'utf8'),
);
const project = join(root, 'out/documented');
mkdirSync(project, { recursive: true });
writeFileSync(
  join(project, 'tsconfig.json'),
  JSON.stringify({ ...JSON.parse(documented), include: ['../../examples'] }),
);
console.log('--- types with the tsconfig.json of docs/getting-started.md');
const types = spawnSync(commandOf('tsc'), ['-p', project], { cwd: root, stdio: 'inherit' });

const failed = examples.filter(example => {
  console.log(`--- examples/${example}`);
  const { status } = spawnSync(commandOf('tsx'), ['--tsconfig', 'tsconfig.built.json', `examples/${example}`], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, QUICK: '1' },
  });
  return status !== 0;
});
if (types.status !== 0) failed.push('types');
console.log(failed.length === 0 ? `${examples.length} examples ran` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 || examples.length === 0 ? 1 : 0;
