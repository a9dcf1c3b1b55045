// `npm test`: installs where that is needed, then runs the tests. Arguments go to vitest: `npm test -- packages/core`.
import { afterSetUp, runNode } from './setUp.mjs';

await afterSetUp({ build: false }, root =>
  runNode(['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], root),
);
