import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { NamedArray } from '@dropbp/core';
import type { OptimizerState } from './optimizer.ts';

/** What an optimizer stores for one parameter: its steps, and tensors of the parameter's shape. */
export interface Slot<Name extends string> {
  readonly steps: number;
  readonly tensors: Readonly<Record<Name, tf.Tensor>>;
}

/** What an optimizer stores, by parameter. */
export interface Slots<Name extends string> {
  /** The stored tensors and steps; zeros before the first step. The slots own the tensors. */
  get(parameter: string, like: tf.Tensor): Slot<Name>;
  /** Replaces what is stored and takes over the tensors. */
  set(parameter: string, slot: Slot<Name>): void;
  state(): Promise<OptimizerState>;
  restore(state: OptimizerState): void;
  dispose(): void;
}

/**
 * @param optimizer - its name in a checkpoint
 * @param names - of the tensors it stores for each parameter
 */
export function makeSlots<Name extends string>(optimizer: string, names: readonly Name[]): Slots<Name> {
  const slots = new Map<string, Slot<Name>>();
  const free = (slot: Slot<Name> | undefined): void => {
    if (slot !== undefined) tf.dispose(Object.values(slot.tensors));
  };
  const dispose = (): void => {
    for (const slot of slots.values()) free(slot);
    slots.clear();
  };
  const set = (parameter: string, slot: Slot<Name>): void => {
    free(slots.get(parameter));
    for (const name of names) tf.keep(slot.tensors[name]); // apply() may run inside someone's tidy
    slots.set(parameter, slot);
  };
  return {
    get(parameter, like) {
      const slot = slots.get(parameter);
      if (slot === undefined) return { steps: 0, tensors: byName(names, () => tf.zerosLike(like)) };
      const other = names.find(name => String(slot.tensors[name].shape) !== String(like.shape));
      if (other === undefined) return slot;
      throw problem('train', {
        what: `the restored state of '${parameter}' does not fit the parameter`,
        got: slot.tensors[other].shape,
        expected: String(like.shape),
      });
    },
    set,
    async state() {
      const tensors = new Map<string, NamedArray>();
      const steps: Record<string, number> = {};
      for (const [parameter, slot] of slots) {
        steps[parameter] = slot.steps;
        for (const name of names) {
          const { shape } = slot.tensors[name];
          const data = Float32Array.from(await slot.tensors[name].data());
          tensors.set(`${parameter}.${name}`, { shape, data });
        }
      }
      return { values: { optimizer, steps }, tensors };
    },
    restore({ values, tensors }) {
      if (values.optimizer !== optimizer) {
        throw problem('train', {
          what: 'the state is of another optimizer',
          got: values.optimizer,
          expected: optimizer,
        });
      }
      const stored = (parameter: string, name: Name): NamedArray => {
        const array = tensors.get(`${parameter}.${name}`);
        if (array !== undefined) return array;
        throw problem('train', { what: `the state holds no ${name} for '${parameter}'` });
      };
      // All is looked up before anything changes.
      const found = Object.entries(values.steps).map(
        ([parameter, steps]) => [parameter, steps, byName(names, name => stored(parameter, name))] as const,
      );
      dispose();
      for (const [parameter, steps, arrays] of found) {
        const restored = byName(names, name =>
          tf.tensor(arrays[name].data.slice(), [...arrays[name].shape], 'float32'),
        );
        set(parameter, { steps, tensors: restored });
      }
    },
    dispose,
  };
}

function byName<Name extends string, T>(names: readonly Name[], make: (name: Name) => T): Record<Name, T> {
  return Object.fromEntries(names.map(name => [name, make(name)])) as Record<Name, T>;
}
