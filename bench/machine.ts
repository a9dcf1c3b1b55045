import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { Where } from './report/readResults.ts';

/** What a result is worth nothing without: where and with what it was measured. */
export function machine(): Where & Readonly<Record<string, unknown>> {
  const version = (name: string): string => {
    const file = new URL(`../node_modules/.pnpm/node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  };
  return {
    date: new Date().toISOString(),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    cpu: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    tfjs: version('@tensorflow/tfjs'),
    onnxruntime: version('onnxruntime-node'),
    loadBefore: loadavg()[0],
  };
}
