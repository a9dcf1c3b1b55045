import { noBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';

/** Abdin et al., "Phi-3", 2024, and Phi-4 (mini): queries, keys and values from one layer, the gate and its values from another. */
export const phi3: Family = {
  className: 'Phi3ForCausalLM',
  title: 'Phi-3, Phi-4',
  maxPositions: 4096,
  epsilon: ['rms_norm_eps', 1e-5],
  rotaryShare: 1,
  // transformers takes two older names for the only scaling that these models have.
  rope: { otherNames: { su: 'longrope', yarn: 'longrope' } },
  biases: noBiases,
  layers: (reader, count) =>
    equalLayers(count, { ...plainLayer, window: reader.optionalInteger('sliding_window', undefined) }),
  differ(reader) {
    for (const key of ['full_attn_mod', 'interpolate_factor']) reader.only(key, 1);
    return { fusesAttention: true, mlp: 'fusedGate' };
  },
  inert: ['resid_pdrop', 'embd_pdrop'],
};
