import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '@dropbp/basics';
import { checkAdapterConfig } from '@dropbp/compose';
import { openSafetensors } from '@dropbp/safetensors';
import { plainMessage } from '../../flags/plainMessage.ts';
import { readJsonFile } from '../../files/readJsonFile.ts';
import { formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { describeMethod, type MethodDescription } from './describeMethod.ts';
import { fieldLines } from './fieldLines.ts';
import { groupTable } from './groupTable.ts';
import { countElements, listTensors, totalLine, type ListedTensor } from './tensorList.ts';

/** What `dropbp inspect` tells of an adapter. */
export interface AdapterSummary {
  readonly kind: 'adapter';
  /** `'LORA'`. */
  readonly method: string;
  readonly base: string | null;
  readonly rank: number | null;
  readonly alpha: number | null;
  readonly dropout: number | null;
  readonly usesRslora: boolean;
  /** Layer names, or a regular expression. */
  readonly targets: readonly string[] | string | null;
  /** What the method does, and what was chosen, in words. */
  readonly description: MethodDescription;
  /** Why dropbp cannot load it; null where its method and options are supported. */
  readonly unsupported: string | null;
  /** Adapters in folders below this one, by name, as PEFT saves several. */
  readonly others: readonly { readonly name: string; readonly method: string }[];
  readonly parameters: number;
  readonly madeBy: string | null;
  readonly tensors: readonly ListedTensor[];
}

/**
 * Reads a folder in the format of PEFT, whichever method it holds.
 *
 * @throws Problem where the files are not valid
 */
export async function inspectAdapter(folder: string): Promise<AdapterSummary> {
  const config = await readJsonFile(join(folder, 'adapter_config.json'));
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  const tensors = listTensors(file.tensors);
  await file.close();
  const number = (key: string): number | null => (typeof config[key] === 'number' ? config[key] : null);
  const string = (key: string): string | null => (typeof config[key] === 'string' ? config[key] : null);
  const targets = config.target_modules;
  return {
    kind: 'adapter',
    method: string('peft_type') ?? 'unknown',
    base: string('base_model_name_or_path'),
    rank: number('r'),
    alpha: number('lora_alpha'),
    dropout: number('lora_dropout'),
    usesRslora: config.use_rslora === true,
    targets: Array.isArray(targets) ? targets.map(String).sort() : typeof targets === 'string' ? targets : null,
    description: describeMethod(config),
    unsupported: await whyUnsupported(config),
    others: await othersBelow(folder),
    parameters: tensors.reduce((sum, tensor) => sum + countElements(tensor.shape), 0),
    madeBy: string('peft_version'),
    tensors,
  };
}

/** The summary as text. */
export function showAdapter(summary: AdapterSummary): Styled {
  const { base, description, unsupported, others, parameters, madeBy, tensors } = summary;
  const fields = fieldLines([
    ['method', unsupported === null ? description.title : `${description.title} (dropbp cannot load it)`],
    ['not supported', unsupported ?? undefined],
    ['base model', base ?? 'not named'],
    ...description.settings,
    ['parameters', formatCount(parameters)],
    ['file', totalLine(tensors)],
    ['PEFT version', madeBy ?? undefined],
    [
      'more adapters',
      others.length === 0 ? undefined : others.map(({ name, method }) => `${name} (${method})`).join(', '),
    ],
  ]);
  return [fields, '\n', groupTable(tensors)];
}

async function whyUnsupported(config: Readonly<Record<string, unknown>>): Promise<string | null> {
  try {
    await checkAdapterConfig(config);
    return null;
  } catch (error) {
    if (error instanceof Problem) return plainMessage(error);
    throw error;
  }
}

async function othersBelow(folder: string): Promise<AdapterSummary['others']> {
  const others: { name: string; method: string }[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory()) continue;
    const files = await readdir(join(folder, entry.name));
    if (!files.includes('adapter_config.json')) continue;
    const { peft_type } = await readJsonFile(join(folder, entry.name, 'adapter_config.json'));
    others.push({ name: entry.name, method: typeof peft_type === 'string' ? peft_type : 'unknown' });
  }
  return others;
}
