// ONNX Runtime without the packages around it: what the others are compared with.
import { createRequire } from 'node:module';

const engine = createRequire(new URL('../../../packages/tfjs-backend-ort/package.json', import.meta.url));
const { binding } = engine(`${engine.resolve('onnxruntime-node/package.json')}/../dist/binding.js`);
binding.initOrtOnce(3, Object, true);
// It first calls its host some seconds later.
setTimeout(() => undefined, 20_000);
