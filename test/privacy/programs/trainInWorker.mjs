// The same training in a worker thread, whose environment is a copy that ONNX Runtime does not see.
import { argv } from 'node:process';
import { Worker } from 'node:worker_threads';

new Worker(new URL('./train.mjs', import.meta.url), { workerData: argv.slice(2) });
