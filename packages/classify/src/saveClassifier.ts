import { nodeModule, readIfThere, writeAtomically } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import { headOf } from './kind.ts';

/**
 * Writes a trained classifier: the adapter as PEFT does, with its head among the tensors, and beside it `config.json`, which names the
 * labels. Where the trained weights are the model's own, a checkpoint folder, which names them too.
 *
 * @throws Problem for a model without a classifier, if a parameter is NaN or infinite, or the folder cannot be written
 *
 * @example
 * ```ts
 * await saveClassifier(tuned, 'out/spam');
 * ```
 */
export async function saveClassifier(tuned: Tuned, directory: string): Promise<void> {
  headOf('saveClassifier()', tuned);
  await tuned.save(directory);
  const path = nodeModule('classify', 'node:path');
  const isAdapter = (await readIfThere('classify', path.join(directory, 'adapter_config.json'), 2 ** 24)) !== undefined;
  if (!isAdapter) return;
  const config = `${JSON.stringify(tuned.model.config, null, 2)}\n`;
  await writeAtomically('classify', path.join(directory, 'config.json'), config);
}
