import type { BackendCandidate } from './chooseBackend.ts';
import { registerTfjsNode, tensorFlow, tfjsNodePackages } from './registerTfjsNode.ts';

const tensorflow = {
  name: 'tensorflow',
  detail: () => `TensorFlow ${tensorFlow().version} on ${tensorFlow().isOnGpu ? 'a GPU' : 'the CPU'}`,
  fix: `install ${tfjsNodePackages.join(' or ')}`,
};

/**
 * The backends for Node, best first: `tensorflow` on a GPU, `ort`, `tensorflow` on the CPU, `wasm`, `cpu`. On a CPU `ort` comes
 * first, as a training step takes half the time and memory there (docs/tfjs-node.md).
 */
export const nodeBackends: readonly BackendCandidate[] = [
  {
    ...tensorflow,
    register: () => registerTfjsNode(tfjsNodePackages.slice(0, 1)),
    objection: () => (tensorFlow().isOnGpu ? undefined : `${tfjsNodePackages[0]} finds no GPU that it can use`),
  },
  { name: 'ort', register: () => import('@dropbp/tfjs-backend-ort') },
  { ...tensorflow, register: () => registerTfjsNode(tfjsNodePackages) },
  { name: 'wasm', register: () => import('@tensorflow/tfjs-backend-wasm') },
  { name: 'cpu', register: () => Promise.resolve() },
];
