import { cohere2 } from './kin/cohere.ts';
import { exaone4 } from './kin/exaone.ts';
import type { Family } from './family.ts';
import { gemma2, gemma3Text } from './kin/gemma.ts';
import { glm4 } from './kin/glm.ts';
import { granite, graniteMoe } from './kin/granite.ts';
import { llama, smollm3 } from './kin/llama.ts';
import { ministral3, mistral, mixtral } from './kin/mistral.ts';
import { olmo2, olmo3 } from './kin/olmo.ts';
import { phi3 } from './kin/phi.ts';
import { qwen2, qwen3, qwen3Moe } from './kin/qwen.ts';
import { stablelm } from './kin/stablelm.ts';
import { starcoder2 } from './kin/starcoder.ts';

/** Models of Llama's kind by `model_type`. Source: configuration and modelling files of transformers 5.24, defaults included. */
export const families: Readonly<Record<string, Family>> = {
  llama,
  mistral,
  ministral3,
  qwen2,
  qwen3,
  smollm3,
  gemma2,
  gemma3_text: gemma3Text,
  phi3,
  granite,
  olmo2,
  olmo3,
  cohere2,
  glm4,
  exaone4,
  starcoder2,
  stablelm,
  mixtral,
  qwen3_moe: qwen3Moe,
  granitemoe: graniteMoe,
};
