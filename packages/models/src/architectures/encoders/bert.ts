import * as tf from '@tensorflow/tfjs';
import type { Hooks, ModuleInfo, Scope, SequencePlace } from '@dropbp/core';
import { addPositions } from '../../layers/addPositions.ts';
import { embeddingLayer } from '../../layers/embeddingLayer.ts';
import { keyBiases } from '../../layers/keyBiases.ts';
import { moduleInfo } from '../../layers/moduleInfo.ts';
import { normLayer } from '../../layers/normLayer.ts';
import { embedTokens } from '../../layers/outerParts.ts';
import type { Architecture, Definition } from '../architecture.ts';
import { configReader, type RawConfig } from '../configReader.ts';
import type { ModelLimits } from '../modelLimits.ts';
import { bertNames, postNormBranches, postNormModules } from './postNorm.ts';
import { inertInEncoders, readEncoderSizes } from './encoderSizes.ts';

/**
 * BERT and MiniLM: an encoder with its norms behind the branches, learned positions and token types. Names in checkpoints may begin
 * with `bert.`. A pooling layer is kept where the checkpoint has one, and not run.
 *
 * Sources: Devlin et al., "BERT", 2019; Wang et al., "MiniLM", 2020; modeling_bert.py of transformers 5.24.
 */
export const bert: Architecture = { titles: { bert: 'BERT, MiniLM' }, define: defineBert, completeConfig };

const TOKENS = 'embeddings.word_embeddings';
const POSITIONS = 'embeddings.position_embeddings';
const TYPES = 'embeddings.token_type_embeddings';
const NORM = 'embeddings.LayerNorm';
const POOLER = 'pooler.dense';

/** Of configurations that Google published, for a pooling of other models. */
const published: readonly string[] = [
  ...['pooler_fc_size', 'pooler_num_attention_heads', 'pooler_num_fc_layers', 'pooler_size_per_head', 'pooler_type'],
  ...['directionality'],
];

function defineBert(raw: RawConfig, limits: ModelLimits): Definition {
  const reader = configReader(raw, limits);
  const sizes = readEncoderSizes(reader);
  const tokenTypes = reader.integer('type_vocab_size', 2);
  const hasPooler = reader.boolean('add_pooling_layer', true);
  reader.only('position_embedding_type', 'absolute');
  reader.only('is_decoder', false);
  reader.finish([...inertInEncoders, ...published]);
  const { hiddenSize, vocabSize, maxPositions, epsilon } = sizes;
  const norm = moduleInfo.norm(hiddenSize, true);
  const modules = new Map<string, ModuleInfo>([
    [TOKENS, moduleInfo.table(vocabSize, hiddenSize)],
    [POSITIONS, moduleInfo.table(maxPositions, hiddenSize)],
    [TYPES, moduleInfo.table(tokenTypes, hiddenSize)],
    [NORM, norm],
    ...postNormModules(bertNames, sizes),
    ...(hasPooler ? [[POOLER, moduleInfo.linear(hiddenSize, hiddenSize, true)] as const] : []),
  ]);
  return {
    architecture: 'bert',
    hiddenSize,
    vocabSize,
    maxPositions,
    isCausal: false,
    tokenTypes,
    modules,
    branches: postNormBranches(bertNames, sizes),
    className: 'BertModel',
    prefix: '',
    readName: name => name.replace(/^bert\./, '').replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias'), // prettier-ignore
    // Heads of the pre-training, which transformers leaves out of the bare model too.
    isBuffer: name => /(^|\.)embeddings\.position_ids$/.test(name) || name.startsWith('cls.'),
    initialDeviation: () => sizes.initialDeviation,
    embedding: TOKENS,
    isEmbeddingParameter: name => !name.startsWith('pooler.'),
    isHeadParameter: name => name.startsWith('pooler.'),
    embed(tokens, p, hooks, place) {
      const x = embedTokens(TOKENS, tokens, p, hooks, place);
      const placed = addPositions(x, POSITIONS, maxPositions, p, hooks, place);
      return normLayer(NORM, addTokenTypes(placed, p, hooks, place), p, epsilon);
    },
    head: { normalize: x => x.clone() }, // the last branch has normalised it
    shared: keyBiases,
  };
}

/** A checkpoint without a pooling layer makes a model without one. */
function completeConfig(config: RawConfig, tensors: ReadonlySet<string>): RawConfig {
  const hasPooler = [...tensors].some(name => name.endsWith(`${POOLER}.weight`));
  return hasPooler || 'add_pooling_layer' in config ? config : { ...config, add_pooling_layer: false };
}

/** Adds the row of each token's type: 0 where nothing is said, and for virtual tokens. */
function addTokenTypes(x: tf.Tensor, p: Scope, hooks: Hooks, { tokenTypes }: SequencePlace): tf.Tensor {
  const time = x.shape[1]!;
  const types =
    tokenTypes === undefined
      ? tf.zeros([1, time], 'int32')
      : tf.pad(tokenTypes, [[0, 0], [time - tokenTypes.shape[1]!, 0]]); // prettier-ignore
  return tf.add(x, embeddingLayer(TYPES, types, p, hooks));
}
