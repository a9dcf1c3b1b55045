// `npm start`: installs and builds where that is needed, then runs the main job on the model and text that come along.
import { afterSetUp, runNode } from './setUp.mjs';

// tsx would follow the `paths` of tsconfig.json to the sources.
process.env.TSX_TSCONFIG_PATH = 'tsconfig.built.json';
await afterSetUp({ build: true }, root =>
  runNode(['--import', 'tsx', 'examples/start/start.ts', ...process.argv.slice(2)], root),
);
