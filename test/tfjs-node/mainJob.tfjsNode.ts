import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '@dropbp/cli';
import { backendCandidates, chooseBackend } from '@dropbp/setup';

const root = fileURLToPath(new URL('../..', import.meta.url));
const prompt = 'And it came to pass';

/** The `dropbp` command on a backend, in a process of its own, which finds tfjs-node as if it were installed. */
async function dropbp(backend: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const node = ['--import', 'tsx', '--import', './test/tfjs-node/register.mjs', 'packages/cli/src/bin.ts'];
  const env = { ...process.env, DROPBP_BACKEND: backend };
  return promisify(execFile)(process.execPath, [...node, ...args], { cwd: root, env });
}

describe('the choice of a backend, with tfjs-node installed', () => {
  it('is ort unasked, and tensorflow where it is wanted', async () => {
    expect(await chooseBackend({ candidates: backendCandidates })).toMatchObject({ name: 'ort' });
    expect(await chooseBackend({ wanted: 'tensorflow', candidates: backendCandidates })).toMatchObject({
      name: 'tensorflow',
      detail: expect.stringMatching(/^TensorFlow 2\.\d+\.\d+ on the CPU$/) as string,
    });
  });
});

describe('the main job', () => {
  let folder = '';
  const out = (backend: string): string => join(folder, backend);
  const record = async (backend: string): Promise<RunRecord> =>
    JSON.parse(await readFile(join(out(backend), 'run.json'), 'utf8')) as RunRecord;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dropbp-tfjs-node-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('trains with the losses of ort', async () => {
    const data = ['--model', 'models/austen-base', '--data', 'examples/data/kjv.txt.gz'];
    const method = ['--rank', '32', '--rate', '0.5', '--learning-rate', '0.01', '--steps', '8'];
    const measured = ['--evaluations', '1', '--prompt', prompt, '--sample-tokens', '0'];
    for (const backend of ['ort', 'tensorflow']) {
      const { stderr } = await dropbp(backend, 'train', ...data, ...method, ...measured, '--out', out(backend));
      expect(stderr).toMatch(
        backend === 'ort' ? /^backend: ort$/m : /^backend: tensorflow \(TensorFlow .* on the CPU\)$/m,
      );
    }
    const [ort, tensorflow] = [await record('ort'), await record('tensorflow')];
    expect(tensorflow.backend).toBe('tensorflow');
    expect(tensorflow.steps).toHaveLength(8);
    expect(tensorflow.steps.map(({ dropped }) => dropped)).toEqual(ort.steps.map(({ dropped }) => dropped));
    const losses = ({ steps, heldOut }: RunRecord): number[] => [...steps, ...heldOut].map(({ loss }) => loss);
    losses(tensorflow).forEach((loss, i) => expect(loss).toBeCloseTo(losses(ort)[i]!, 3));
    expect(tensorflow.heldOut.at(-1)!.loss).toBeLessThan(tensorflow.heldOut[0]!.loss - 0.2);
  });

  it('writes what ort writes', async () => {
    const args = ['--adapter', join(out('ort'), 'adapter'), '--prompt', prompt, '--temperature', '0'];
    const [ort, tensorflow] = await Promise.all(
      ['ort', 'tensorflow'].map(backend => dropbp(backend, 'generate', ...args, '--max-new-tokens', '24')),
    );
    expect(ort!.stdout.length).toBeGreaterThan(prompt.length + 24);
    expect(tensorflow!.stdout).toBe(ort!.stdout);
  });
});
