import type { Adapter, Model } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import type { MethodName, RunPlan } from './runPlan.ts';

type Method = (plan: RunPlan, model: Model) => Adapter;

const TOKENS = { numVirtualTokens: 16 };

/** What a run trains, by the name that its plan gives. */
export const methods: Readonly<Record<MethodName, Method>> = {
  lora: (plan, model) => lora(loraOptions(plan, model)),
  dora: (plan, model) => lora({ ...loraOptions(plan, model), useDora: true }),
  ia3: ({ seed }) => ia3({ seed }),
  'prefix tuning': ({ seed }) => prefixTuning({ ...TOKENS, seed }),
  'prefix tuning, projected': ({ seed }, { hiddenSize }) =>
    prefixTuning({ ...TOKENS, seed, prefixProjection: true, encoderHiddenSize: hiddenSize }),
  'prompt tuning': ({ seed }) => promptTuning({ ...TOKENS, seed, initialization: 'vocabulary' }),
  'p-tuning, MLP': ({ seed }, { hiddenSize }) => pTuning({ ...TOKENS, seed, encoderHiddenSize: hiddenSize }),
  'p-tuning, LSTM': ({ seed }, { hiddenSize }) =>
    pTuning({ ...TOKENS, seed, encoderHiddenSize: hiddenSize, encoderReparameterizationType: 'LSTM' }),
  'LLaMA-Adapter': ({ seed }, { branches }) =>
    llamaAdapter({ adapterLen: 10, adapterLayers: branches.length / 2 - 1, seed }),
  norms: () => fullFineTune({ parts: ['norms'] }),
  full: () => fullFineTune(),
};

function loraOptions({ rank, layers, seed }: RunPlan, { modules }: Model): Parameters<typeof lora>[0] {
  const linears = [...modules].filter(([, { kind, isOutput }]) => kind !== 'embedding' && kind !== 'norm' && !isOutput);
  return {
    rank,
    alpha: 2 * rank,
    targetModules: [...new Set(linears.map(([name]) => name.slice(name.lastIndexOf('.') + 1)))],
    seed,
    ...(layers !== undefined && { layersToTransform: [...layers] }),
  };
}
