import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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
    cpu: processor(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    tfjs: version('@tensorflow/tfjs'),
    onnxruntime: version('onnxruntime-node'),
    loadBefore: loadavg()[0],
  };
}

/** Its name and, on Linux, family and model: processors of one name can differ in speed by a factor of two. */
function processor(): string {
  const name = cpus()[0]?.model ?? 'unknown processor';
  if (!existsSync('/proc/cpuinfo')) return name;
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  const [family, model] = ['cpu family', 'model'].map(key => new RegExp(`^${key}\\s*: (\\d+)$`, 'm').exec(text)?.[1]);
  return family === undefined || model === undefined ? name : `${name} (family ${family}, model ${model})`;
}
