import * as tf from '@tensorflow/tfjs';
import { checkOptions, checkValue, problem } from '@dropbp/basics';
import { causal, toInt32Rows, type Model, type Objective, type ObjectiveBatch, type Runnable } from '@dropbp/core';
import type { ReadyBatch } from './gradientPass.ts';
import { lossOfPass } from './lossOfPass.ts';

/** What the model reads of a batch, and whether it must be there. */
const inputs: readonly (readonly [keyof ObjectiveBatch, isNeeded: boolean])[] = [
  ['inputIds', true],
  ['attentionMask', false],
  ['positions', false],
  ['tokenTypes', false],
];

/** What runs the batch, with the objective. */
export interface ReadyOptions {
  /** @defaultValue predicting the next token */
  readonly objective?: Objective;
  /** Whether its tokens are read as well. @defaultValue false */
  readonly readsTokens?: boolean;
}

/**
 * Checks a batch and has the objective prepare it.
 *
 * @throws Problem if it is misshapen, too long, or nothing in it counts
 */
export async function readyBatch(
  runnable: Runnable,
  batch: ObjectiveBatch,
  { objective = causal(), readsTokens = false }: ReadyOptions = {},
): Promise<ReadyBatch> {
  const tensors = checkInputs(runnable.model, batch, objective);
  const [rows, host] = await Promise.all([
    objective.labelledRows?.(batch, runnable),
    readsTokens ? readHost(tensors) : undefined,
  ]);
  const prepared = await objective.prepare(batch, runnable, rows);
  checkValue('compose', `the weight that '${objective.name}' gives a batch`, prepared.weight, isWeight, 'a number > 0');
  const [count, time] = tensors.inputIds.shape as [number, number];
  return {
    ...tensors,
    shape: { batch: count, time },
    rows,
    weight: prepared.weight,
    tokens: rows?.labels.length ?? prepared.weight,
    ...lossOfPass(objective.name, prepared, rows),
    host,
  };
}

function checkInputs(model: Model, batch: ObjectiveBatch, objective: Objective): ReadyInputs {
  const { labels, optionalLabels = [], groupSize = 1 } = objective;
  // Labels of positions are checked where they are read.
  const isByToken = (name: string): boolean =>
    inputs.some(([input]) => input === name) || (name === 'labels' && objective.labelledRows !== undefined);
  const own = [...labels.map(name => [name, true] as const), ...optionalLabels.map(name => [name, false] as const)];
  const names = inputs.map(([name]) => name);
  checkOptions('compose', 'a batch', batch, [...names, ...own.map(([name]) => name)]);
  const given = batch as unknown as Partial<Readonly<Record<string, tf.Tensor>>>;
  for (const [name, isNeeded] of [...inputs, ...own]) {
    const isUsable = (value: unknown): boolean => value instanceof tf.Tensor || (value === undefined && !isNeeded);
    const [expected, fix] = isByToken(name)
      ? ['an int32 tensor [batch, time]', "make one with tf.tensor2d(rows, undefined, 'int32')"]
      : ['a tensor with a row for each sequence', 'make one with tf.tensor(rows)'];
    checkValue<unknown>('compose', `a batch: ${name}`, given[name], isUsable, expected, fix);
  }
  const inputIds = toInt32Rows('inputIds', batch.inputIds, { below: model.vocabSize, longest: model.maxPositions });
  const { attentionMask, positions, tokenTypes } = batch;
  const { shape } = inputIds;
  if (attentionMask !== undefined) toInt32Rows('attentionMask', attentionMask, { below: 2, shape });
  if (positions !== undefined) toInt32Rows('positions', positions, { below: shape[1]!, shape });
  if (tokenTypes !== undefined) toInt32Rows('tokenTypes', tokenTypes, { below: model.tokenTypes ?? 0, shape });
  if (tokenTypes !== undefined && model.tokenTypes === undefined) throw noTokenTypes(model);
  checkRows(
    own.map(([name]) => [name, given[name]] as const).filter(([name]) => !isByToken(name)),
    shape[0],
  );
  if (shape[0] % groupSize === 0) return { inputIds, attentionMask, positions, tokenTypes };
  throw problem('compose', {
    what: `the rows of a batch do not make whole groups of '${objective.name}'`,
    got: `${shape[0]} rows`,
    expected: `a multiple of ${groupSize}`,
  });
}

type ReadyInputs = Pick<ReadyBatch, 'inputIds' | 'attentionMask' | 'positions' | 'tokenTypes'>;

function checkRows(tensors: readonly (readonly [name: string, tensor: tf.Tensor | undefined])[], rows: number): void {
  for (const [name, tensor] of tensors) {
    if (tensor === undefined || tensor.shape[0] === rows) continue;
    throw problem('compose', {
      what: `a batch: ${name} has other rows than inputIds`,
      got: tensor.shape,
      expected: `[${rows}, …]`,
    });
  }
}

function isWeight(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

async function readHost({
  inputIds,
  attentionMask,
  positions,
}: Pick<ReadyBatch, 'inputIds' | 'attentionMask' | 'positions'>): Promise<NonNullable<ReadyBatch['host']>> {
  const [ids, mask, places] = await Promise.all([inputIds.data(), attentionMask?.data(), positions?.data()]);
  return { inputIds: ids, attentionMask: mask, positions: places };
}

function noTokenTypes({ architecture }: Model): Error {
  return problem('compose', {
    what: `a batch: '${architecture}' does not read token types`,
    fix: 'leave tokenTypes out',
  });
}
