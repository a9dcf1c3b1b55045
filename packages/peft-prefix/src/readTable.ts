import {
  matchPeftTensors,
  type Adapter,
  type Model,
  type PeftConfigReader,
  type PeftConfigRules,
  type PeftFiles,
} from '@dropbp/core';
import { attachTable } from './prompt/attachPrompt.ts';
import { checkSizes, PROMPT_KEY, promptConfig, promptSizes, readVirtualTokens } from './prompt/promptConfig.ts';
import { variable } from './variable.ts';

/**
 * Virtual tokens from a file of prompt tuning or P-tuning. They can be trained on, as the plain table that the file holds:
 * an encoder that made them is not in it.
 *
 * @param own - the method's own keys, which are kept when the adapter is saved again
 */
export function readTable(
  name: string,
  files: PeftFiles,
  reader: PeftConfigReader,
  rules: PeftConfigRules,
  own: Readonly<Record<string, unknown>>,
): Adapter {
  const numVirtualTokens = readVirtualTokens(reader);
  return {
    name,
    attach(model: Model) {
      const sizes = promptSizes(model);
      checkSizes(reader, sizes, model);
      const shape = [numVirtualTokens, sizes.tokenDim];
      matchPeftTensors(files.tensors, {
        package: 'peft-prefix',
        expected: new Map([[PROMPT_KEY, shape]]),
        bases: { configured: reader.provenance.base_model_name_or_path, actual: model.source },
        explain: (_, got) =>
          got[0] === numVirtualTokens ? undefined : `num_virtual_tokens in adapter_config.json is ${numVirtualTokens}`,
      });
      const table = variable(files.tensors.get(PROMPT_KEY)!.data, shape);
      return attachTable(model, table, () =>
        promptConfig(model, rules, numVirtualTokens, sizes, own, reader.provenance),
      );
    },
  };
}
