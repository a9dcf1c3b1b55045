import type { ModuleInfo } from '@dropbp/core';
import { moduleInfo } from '../../layers/moduleInfo.ts';
import type { LlamaConfig } from './llamaConfig.ts';
import { mixtureModules } from './mixture.ts';

export const TOKENS = 'model.embed_tokens';
export const NORM = 'model.norm';
export const HEAD = 'lm_head';

/** Values of all heads of queries, and of all heads of keys, or of values. */
export function attentionWidths({ heads, kvHeads, headSize }: LlamaConfig): { queries: number; keys: number } {
  return { queries: heads * headSize, keys: kvHeads * headSize };
}

/** The names of the norms of queries and keys, below the block; one for each head where each has its own. */
export function qkNormNames(c: LlamaConfig, part: 'q' | 'k'): readonly string[] {
  if (c.qkNorm === undefined) return [];
  if (c.qkNorm !== 'ownOfEachHead') return [`self_attn.${part}_norm`];
  const heads = part === 'q' ? c.heads : c.kvHeads;
  return Array.from({ length: heads }, (_, head) => `self_attn.${part}_layernorm.norms.${head}`);
}

/** Every leaf by its path. */
export function llamaModules(c: LlamaConfig): ReadonlyMap<string, ModuleInfo> {
  const { hiddenSize, norms } = c;
  const { linear, table } = moduleInfo;
  const norm = moduleInfo.norm(hiddenSize, c.norm === 'layer');
  const normOf = (name: string | undefined): [string, ModuleInfo][] => (name === undefined ? [] : [[name, norm]]);
  // By name, as parallel branches share the norm of what they read.
  const blockWith = (mlp: [string, ModuleInfo][]): Map<string, ModuleInfo> =>
    new Map([
      ...normOf(norms.attention.before),
      ...attentionModules(c),
      ...normOf(norms.attention.after),
      ...normOf(norms.mlp.before),
      ...mlp,
      ...normOf(norms.mlp.after),
    ]);
  const plainBlock = blockWith(mlpModules(c));
  const mixedBlock = c.mixture && blockWith(mixtureModules(c.mixture, hiddenSize));
  const modules = new Map<string, ModuleInfo>([[TOKENS, table(c.vocabSize, hiddenSize)]]);
  for (const i of c.layers.keys()) {
    const block = c.mixture?.isIn(i) === true ? mixedBlock! : plainBlock;
    for (const [name, module] of block) modules.set(`model.layers.${i}.${name}`, module);
  }
  modules.set(NORM, norm);
  modules.set(HEAD, { ...linear(hiddenSize, c.vocabSize, false), isOutput: true });
  return modules;
}

function attentionModules(c: LlamaConfig): [string, ModuleInfo][] {
  const { hiddenSize, biases } = c;
  const { linear } = moduleInfo;
  const { queries, keys } = attentionWidths(c);
  const layer = (name: string, width: number): [string, ModuleInfo] => [
    `self_attn.${name}_proj`,
    linear(hiddenSize, width, biases.queryKeyValue),
  ];
  const inputs = c.fusesAttention
    ? [layer('qkv', queries + 2 * keys)]
    : [layer('q', queries), layer('k', keys), layer('v', keys)];
  const norms = (['q', 'k'] as const).flatMap(part => {
    const width = c.qkNorm === 'allHeads' ? { q: queries, k: keys }[part] : c.headSize;
    return qkNormNames(c, part).map((name): [string, ModuleInfo] => [name, moduleInfo.norm(width, false)]);
  });
  return [...inputs, ['self_attn.o_proj', linear(queries, hiddenSize, biases.output)], ...norms];
}

function mlpModules(c: LlamaConfig): [string, ModuleInfo][] {
  const { hiddenSize, intermediateSize, biases } = c;
  const inward = (width: number): ModuleInfo => moduleInfo.linear(hiddenSize, width, biases.mlp);
  const outward = moduleInfo.linear(intermediateSize, hiddenSize, biases.mlp);
  switch (c.mlp) {
    case 'gated':
      return [
        ['mlp.gate_proj', inward(intermediateSize)],
        ['mlp.up_proj', inward(intermediateSize)],
        ['mlp.down_proj', outward],
      ];
    case 'fusedGate':
      return [
        ['mlp.gate_up_proj', inward(2 * intermediateSize)],
        ['mlp.down_proj', outward],
      ];
    case 'ungated':
      return [
        ['mlp.c_fc', inward(intermediateSize)],
        ['mlp.c_proj', outward],
      ];
  }
}
