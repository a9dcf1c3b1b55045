import * as tf from '@tensorflow/tfjs';
import type { KeyValue } from '../contract/branch.ts';
import type { CacheSlot, ExtendCache } from '../contract/cacheSlot.ts';
import type { Lanes } from '../contract/lanes.ts';
import { runPass } from './pass/runPass.ts';
import { withTensors, type Runnable } from './runnable.ts';

/** Some tokens of each lane, which run forward only. */
export interface FrontPart {
  /** int32 `[lanes, time]` */
  readonly inputIds: tf.Tensor;
  /** Which rows its tokens belong to. */
  readonly lanes: Lanes;
  /** What the step has for these tokens, such as dropout masks, by full name. */
  readonly stepTensors: ReadonlyMap<string, tf.Tensor>;
}

/** What the tokens in front of a pass have left for it. */
export interface Front {
  /** Keys and values of a branch, by its number; undefined for one without any. */
  readonly of: (branch: number) => KeyValue | undefined;
  /** Frees them. */
  dispose(): void;
}

/**
 * Runs tokens forward only, part after part, up to the keys and values of the last attention: nothing behind them is ever read.
 * Called where no tape is on, so nothing is recorded, and of each part nothing but keys and values stays.
 *
 * @param parts - each is asked for when the one before is through; the tensors are disposed by who makes them
 */
export function runFront(runnable: Runnable, parts: Iterable<FrontPart>): Front {
  const stored = new Map<number, KeyValue>();
  const { branches } = runnable.model;
  const last = branches.findLastIndex(({ kind }) => kind === 'attention');
  const slotOf = (branch: number): CacheSlot => {
    const before = stored.get(branch);
    return {
      reads: before === undefined ? {} : { keys: before.keys, values: before.values },
      extend: before === undefined ? beginFront : extendFront,
      store({ keys, values }) {
        stored.set(branch, { keys: tf.keep(keys), values: tf.keep(values) });
        if (before !== undefined) tf.dispose([before.keys, before.values]);
      },
    };
  };
  const dispose = (): void => {
    for (const { keys, values } of stored.values()) tf.dispose([keys, values]);
    stored.clear();
  };
  try {
    for (const part of parts) {
      const states = runPass(withTensors(runnable, part.stepTensors), part, i => {
        if (i > last) return undefined;
        return branches[i]!.kind === 'attention' ? { slot: slotOf(i) } : {};
      });
      states.dispose();
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { of: branch => stored.get(branch), dispose };
}

const beginFront: ExtendCache = own => ({ seen: own, stored: own });

const extendFront: ExtendCache = (own, { keys, values }) => {
  const all = { keys: tf.concat([keys!, own.keys], 2), values: tf.concat([values!, own.values], 2) };
  return { seen: all, stored: all };
};
