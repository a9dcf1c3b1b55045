import { Problem } from '@dropbp/basics';
import { ggufConfig, readGguf, type GgufHeader } from '@dropbp/models';
import type { ModelSummary } from './inspectModel.ts';
import { countElements, dtypeTotals } from './tensorList.ts';

/**
 * Reads the header of a GGUF file, not the weights.
 *
 * @throws Problem where the file is not valid
 */
export async function inspectGguf(path: string): Promise<ModelSummary> {
  const header = await readGguf(path);
  const tensors = [...header.tensors].map(([name, { type, shape, sizeBytes }]) => {
    return { name, dtype: type, shape, sizeBytes };
  });
  const config = configOf(header);
  const numbers = Object.entries(config ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return {
    kind: 'model',
    architecture: nameOf(config?.model_type ?? header.metadata.get('general.architecture')),
    isSupported: config !== undefined,
    parameters: tensors.reduce((sum, { shape }) => sum + countElements(shape), 0),
    config: Object.fromEntries(numbers),
    dtypes: dtypeTotals(tensors),
    hasTokenizer: header.metadata.has('tokenizer.ggml.tokens'),
    hasChatTemplate: header.metadata.has('tokenizer.chat_template'),
    tensors,
  };
}

/** The configuration; undefined for a model that dropbp cannot load. */
function configOf(header: GgufHeader): Readonly<Record<string, unknown>> | undefined {
  try {
    return ggufConfig(header);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

function nameOf(architecture: unknown): string {
  return typeof architecture === 'string' ? architecture : 'not named';
}
