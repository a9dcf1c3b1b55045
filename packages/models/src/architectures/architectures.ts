import { nearNames, problem } from '@dropbp/basics';
import type { Architecture, Definition } from './architecture.ts';
import type { RawConfig } from './configReader.ts';
import { bert } from './encoders/bert.ts';
import { gpt2 } from './gpt2.ts';
import { gptNeox } from './gptNeox.ts';
import { llama } from './llama/llama.ts';
import { withTaskHead } from '../heads/taskHead.ts';
import { textConfig, titlesWithText } from './textPart.ts';
import { plainLimits, type ModelLimits } from './modelLimits.ts';

/** Every architecture. A new one is a file and a line here. */
const architectures: readonly Architecture[] = [llama, gpt2, gptNeox, bert];

/** What can be loaded: values of `model_type` in `config.json`, each with the name that readers know its models by. */
export const modelTitles: Readonly<Record<string, string>> = Object.assign(
  {},
  ...architectures.map(({ titles }) => titles),
  titlesWithText,
) as Record<string, string>;

/** Values of `model_type` in `config.json` that can be loaded. */
export const supportedModelTypes: readonly string[] = Object.keys(modelTitles);

/**
 * Defines the model of a configuration.
 *
 * @param limits - what the checkpoint can hold. @defaultValue what any model has at most
 * @throws Problem for an architecture or a configuration value that is not supported, by name
 */
export function defineModel(config: RawConfig, limits: ModelLimits = plainLimits): Definition {
  const own = textConfig(config);
  const type = own.model_type;
  const architecture = architectureOf(own);
  if (architecture !== undefined) return withTaskHead(own, architecture.define(own, limits));
  const near = typeof type === 'string' ? nearNames(type, supportedModelTypes, 1) : [];
  throw problem('models', {
    what: 'this architecture (model_type in config.json) is not supported',
    got: type,
    expected: `one of ${supportedModelTypes.join(', ')}`,
    ...(near.length > 0 && { fix: `the nearest is '${near[0]!}', if that is what it is` }),
  });
}

/**
 * The configuration that a checkpoint's model is defined by, with what the names of the tensors add. Of a model that reads images
 * too, it is that of its language model.
 */
export function checkpointConfig(config: RawConfig, tensors: ReadonlySet<string>): RawConfig {
  const own = textConfig(config, tensors.has('lm_head.weight'));
  return architectureOf(own)?.completeConfig?.(own, tensors) ?? own;
}

function architectureOf({ model_type: type }: RawConfig): Architecture | undefined {
  return architectures.find(({ titles }) => typeof type === 'string' && Object.hasOwn(titles, type));
}
