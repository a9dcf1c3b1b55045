// Runs every example on the built packages, as users have them. Slow ones take QUICK=1.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf, root } from './packPackages.mjs';

const examples = readdirSync(join(root, 'examples')).filter(file => file.endsWith('.ts'));
const failed = examples.filter(example => {
  console.log(`--- examples/${example}`);
  const { status } = spawnSync(commandOf('tsx'), ['--tsconfig', 'tsconfig.built.json', `examples/${example}`], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, QUICK: '1' },
  });
  return status !== 0;
});
console.log(failed.length === 0 ? `${examples.length} examples ran` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 || examples.length === 0 ? 1 : 0;
