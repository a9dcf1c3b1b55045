import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What must not differ between two runs: the adapter's bytes, every loss, and which step was kept. */
export function outcome(folder: string): string {
  const { steps, heldOut, samples, ended } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as {
    steps: { step: number; loss: number; dropped: number }[];
    [key: string]: unknown;
  };
  const losses = steps.map(({ step, loss, dropped }) => [step, loss, dropped]);
  const adapter = readFileSync(join(folder, 'adapter/adapter_model.safetensors')).toString('base64');
  return JSON.stringify({ losses, heldOut, samples, ended, adapter });
}
