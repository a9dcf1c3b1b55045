import * as tf from '@tensorflow/tfjs';
import { leadsToTrainable, type Runnable } from '@dropbp/core';
import { sensitivityFromNorms } from '@dropbp/dropbp';
import { gradientPass, type ReadyBatch } from '../src/pass/gradientPass.ts';

/**
 * How much the norms of all gradients change when exactly one branch is dropped, as the authors measure it: one pass with all
 * of them, one without each. What `measureSensitivities` is held against.
 *
 * Source: DropBP, Woo et al., NeurIPS 2024; the released code's default.
 */
export async function oracleSensitivities(
  runnable: Runnable,
  parameters: ReadonlyMap<string, tf.Variable>,
  batch: ReadyBatch,
): Promise<number[]> {
  const leads = leadsToTrainable(runnable);
  const normsWithout = async (branch: number | undefined): Promise<Map<string, number>> => {
    const pass = gradientPass({ ...batch, runnable, tokens: batch }, parameters, {
      dropped: leads.map((_, i) => i === branch),
    });
    try {
      return await frobeniusNorms(pass.gradients);
    } finally {
      tf.dispose([pass.value, ...pass.gradients.values()]);
    }
  };
  const base = await normsWithout(undefined);
  const sensitivities: number[] = [];
  for (const [branch, isLeading] of leads.entries()) {
    sensitivities.push(isLeading ? sensitivityFromNorms({ base, dropped: await normsWithout(branch) }) : 0);
  }
  return sensitivities;
}

async function frobeniusNorms(gradients: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, number>> {
  if (gradients.size === 0) return new Map();
  const squares = tf.tidy(() => tf.stack([...gradients.values()].map(gradient => tf.sum(tf.square(gradient)))));
  const values = await squares.data();
  squares.dispose();
  return new Map([...gradients.keys()].map((name, i) => [name, Math.sqrt(values[i]!)]));
}
