/**
 * How long does the export of a model take, how much memory at the peak, and how large are the files?
 *
 *     npx tsx bench/export.bench.ts [--model test/.models/smollm2-135m] [--formats gguf:F16,gguf:Q8_0,onnx:fp32,…]
 *
 * Each format is written in a process of its own, whose peak is set beside what it holds before it begins.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { exportGguf, exportOnnx, type GgufType, type OnnxType } from '@dropbp/export';
import { loadModel } from '@dropbp/models';
import { machine } from './machine.ts';
import { round } from './median.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    formats: { type: 'string', default: 'gguf:F32,gguf:F16,gguf:Q8_0,gguf:Q4_0,onnx:fp32,onnx:fp16,onnx:q8,onnx:q4' },
    one: { type: 'boolean', default: false },
  },
});
const MB = 1e6;

/** What a process of its own prints. */
interface Exported {
  readonly seconds: number;
  /** Before anything is read. */
  readonly emptyMB: number;
  readonly peakMB: number;
  readonly fileMB: number;
}

if (values.one) console.log(JSON.stringify(await exportOnce(values.formats)));
else await compareFormats();

async function compareFormats(): Promise<void> {
  const where = machine();
  const rows = values.formats.split(',').map(format => {
    const args = [fileURLToPath(import.meta.url), '--one', '--model', values.model, '--formats', format];
    const output = execFileSync('npx', ['tsx', ...args], { encoding: 'utf8' });
    const { seconds, emptyMB, peakMB, fileMB } = JSON.parse(output.trim().split('\n').at(-1)!) as Exported;
    const row = {
      format,
      seconds: round(seconds),
      'file, MB': round(fileMB),
      'peak above an empty process, MB': Math.round(peakMB - emptyMB),
    };
    console.log(row);
    return row;
  });
  const command = `npx tsx bench/export.bench.ts --model ${values.model} --formats ${values.formats}`;
  const result = { command, ...where, rows };
  await writeFile(new URL('results/export.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
}

async function exportOnce(format: string): Promise<Exported> {
  const [kind, type] = format.split(':');
  if (kind === 'onnx') await tf.setBackend('ort');
  const folder = await mkdtemp(join(tmpdir(), 'dropbp-export-'));
  try {
    const before = process.resourceUsage().maxRSS * 1024;
    const started = performance.now();
    const bytes = await (kind === 'onnx' ? writeOnnx(folder, type as OnnxType) : writeGguf(folder, type as GgufType));
    const seconds = (performance.now() - started) / 1000;
    const peak = process.resourceUsage().maxRSS * 1024;
    return { seconds, emptyMB: before / MB, peakMB: peak / MB, fileMB: bytes / MB };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function writeGguf(folder: string, type: GgufType): Promise<number> {
  return (await exportGguf(values.model, join(folder, 'model.gguf'), { type })).sizeBytes;
}

async function writeOnnx(folder: string, type: OnnxType): Promise<number> {
  const model = await loadModel(values.model);
  const { sizeBytes } = await exportOnnx(model, join(folder, 'onnx'), { types: [type] });
  model.dispose();
  return Object.values(sizeBytes).reduce((sum, size) => sum + size, 0);
}
