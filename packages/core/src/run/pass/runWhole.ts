import * as tf from '@tensorflow/tfjs';
import type { EngineOptions, Results, TracedFunction } from '@dropbp/engine';
import { activeEngine } from '../../engine.ts';
import { compileOnce } from './compileOnce.ts';

/**
 * Runs a plain function of tensors through which no gradient flows: in one piece where the active backend has an engine,
 * operation by operation elsewhere. Whoever calls it with the same function object shares what an engine compiles, so the
 * function reads nothing but its inputs. The caller owns the results.
 *
 * @param options - the same with each call of one function
 */
export function runWhole<R extends Results>(
  fn: TracedFunction<R>,
  inputs: Readonly<Record<string, tf.Tensor>>,
  options: Pick<EngineOptions, 'replaces'> = {},
): R {
  const engine = activeEngine();
  if (engine === undefined) return tf.tidy(() => fn(inputs));
  return compileOnce(engine, [fn], () => fn, { name: fn.name, ...options })({}, inputs);
}
