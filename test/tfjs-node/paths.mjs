import { fileURLToPath } from 'node:url';

const at = path => fileURLToPath(new URL(path, import.meta.url));

/** The repository. */
export const root = at('../..');
/** Where build.mjs puts libtensorflow: `lib` and `include`. */
export const libtensorflow = at('../../.cache/libtensorflow');
/** Where build.mjs installs tfjs-node. */
export const installed = at('../../.cache/tfjs-node');
/** The package there. */
export const tfjsNode = at('../../.cache/tfjs-node/node_modules/@tensorflow/tfjs-node');
