import type { WeightsForm } from '@dropbp/models';
import { choice, requiredText, text, toggle, type Flag } from '../flag.ts';

/** The forms that weights are kept in. */
export const weightsForms: readonly WeightsForm[] = ['f32', 'f16', 'int8', 'int4'];

/** The flag that names a model where one is needed. */
export function modelFlag(help: string): Flag<string> {
  return requiredText('<folder|file|hub id>', `${help}: a folder, a GGUF file, or a hub id`);
}

/** The flag that says which revision of a model on the hub is meant. */
export function revisionFlag(): Flag<string | undefined> {
  return {
    ...text('<name>', 'of a hub id: a branch, a tag or a commit'),
    defaultText: 'main, or what the adapter names',
  };
}

/** The flag that says how frozen weights are kept. */
export function weightsFlag(): Flag<WeightsForm> {
  return choice(
    weightsForms,
    'how frozen weights of layers are kept in memory: f16 takes half, int8 a quarter, int4 a seventh',
    'f32',
  );
}

/** The flag for gradient checkpointing. */
export function checkpointingFlag(): Flag<boolean> {
  return toggle(
    'keep nothing of a branch but its input, and run it once more in the backward pass: less memory, a longer step, the same numbers',
  );
}

/** The flag that overrides the choice of backend. */
export function backendFlag(): Flag<string | undefined> {
  const flag = text('tensorflow|ort|wasm|cpu', 'what computes; DROPBP_BACKEND says the same');
  return { ...flag, defaultText: 'the first that works' };
}
