import { pathToFileURL } from 'node:url';
import { tfjsNode } from './paths.mjs';

/** Module hook: where `@tensorflow/tfjs-node` is. */
export function resolve(specifier, context, next) {
  if (specifier !== '@tensorflow/tfjs-node') return next(specifier, context);
  return { url: pathToFileURL(`${tfjsNode}/dist/index.js`).href, format: 'commonjs', shortCircuit: true };
}
