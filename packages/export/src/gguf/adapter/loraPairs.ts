import { problem } from '@dropbp/basics';
import { patternValue, PEFT_PREFIX, type ModuleInfo, type NamedArray, type PeftFiles } from '@dropbp/core';
import { peftFormat } from '@dropbp/peft-lora';

/** What LoRA adds to one layer: scaling · B·A. */
export interface LoraPair {
  readonly module: string;
  /** `[rank, inFeatures]`. */
  readonly a: NamedArray;
  /** `[outFeatures, rank]`. */
  readonly b: NamedArray;
  readonly rank: number;
  /** α / rank, with rsLoRA α / √rank, each of the layer's own. */
  readonly scaling: number;
}

/** What is said of everything that two matrices beside a weight cannot express. */
const wayOut = 'export the merged model instead: exportGguf(tuned, …), or dropbp export --merge';

function refuse(what: string, got?: unknown): Error {
  return problem('export', {
    what: `a LoRA in a GGUF file cannot hold ${what}`,
    ...(got !== undefined && { got }),
    fix: wayOut,
  });
}

/**
 * The layers of a LoRA adapter in PEFT's files.
 *
 * @param modules - of its base, by path
 * @throws Problem for another method, for what such a file cannot hold, and for tensors that do not fit the base
 */
export function readLoraPairs({ config, tensors }: PeftFiles, modules: ReadonlyMap<string, ModuleInfo>): LoraPair[] {
  checkConfig(config);
  const pairs: LoraPair[] = [];
  for (const [key, a] of tensors) {
    const [, module, part] = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(key) ?? [];
    if (module === undefined) throw refuse('this tensor', key);
    if (part === 'B') continue;
    const b = tensors.get(`${PEFT_PREFIX}${module}.lora_B.weight`);
    if (b === undefined) throw problem('export', { what: `the adapter has an A of '${module}' and no B`, got: key });
    checkShapes(module, a, b, modules.get(module));
    pairs.push({ module, a, b, ...scalingOf(config, module, a.shape[0]!) });
  }
  if (pairs.length === 0 || 2 * pairs.length !== tensors.size) {
    throw problem('export', {
      what: 'the tensors of the adapter are not pairs of A and B',
      got: [...tensors.keys()],
      expected: 'lora_A.weight and lora_B.weight of each layer',
    });
  }
  return pairs;
}

function checkConfig(config: PeftFiles['config']): void {
  if (config.peft_type !== 'LORA') throw refuse('an adapter of this method', config.peft_type);
  peftFormat.checkConfig!(config);
  const isSet = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value));
  if (config.use_dora === true) throw refuse('DoRA (use_dora)');
  if (config.lora_bias === true) throw refuse('a bias of B (lora_bias)');
  if (isSet(config.modules_to_save)) throw refuse('modules that were trained whole (modules_to_save)', config.modules_to_save); // prettier-ignore
  if (isSet(config.trainable_token_indices)) throw refuse('trained tokens (trainable_token_indices)');
  if (config.bias !== undefined && config.bias !== 'none') throw refuse('biases of the base (bias)', config.bias);
  if (config.init_lora_weights === 'pissa' || config.init_lora_weights === 'olora') {
    throw problem('export', {
      what: `the adapter was made with init_lora_weights '${config.init_lora_weights}': it belongs to a changed base`,
      fix: 'load it and save it again (loadAdapter, compose, save), which makes an ordinary one, and export that',
    });
  }
}

function checkShapes(module: string, a: NamedArray, b: NamedArray, info: ModuleInfo | undefined): void {
  if (info === undefined) {
    throw problem('export', {
      what: `the adapter adapts '${module}', which its base does not have`,
      fix: 'give the base that it was trained on',
    });
  }
  if (info.kind === 'embedding' || info.isOutput === true) throw refuse('a changed embedding or output layer', module);
  const [rank] = a.shape;
  const [got, expected] = [
    [a.shape, b.shape],
    [
      [rank, info.inFeatures],
      [info.outFeatures, rank],
    ],
  ];
  if (String(got) === String(expected)) return;
  throw problem('export', { what: `A and B of '${module}' do not fit its base`, got, expected: JSON.stringify(expected) }); // prettier-ignore
}

/** Source: PEFT's `LoraLayer.update_layer`. */
function scalingOf(config: PeftFiles['config'], module: string, rank: number): Pick<LoraPair, 'rank' | 'scaling'> {
  const own = (key: 'rank_pattern' | 'alpha_pattern', fallback: unknown): number =>
    patternValue('export', key, (config[key] ?? {}) as Record<string, number>, module)?.value ?? Number(fallback);
  const expected = own('rank_pattern', config.r ?? 8);
  if (rank !== expected) {
    throw problem('export', {
      what: `A of '${module}' has another rank than the adapter's configuration says`,
      got: rank,
      expected: String(expected),
    });
  }
  const alpha = own('alpha_pattern', config.lora_alpha ?? 8);
  return { rank, scaling: alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank) };
}
