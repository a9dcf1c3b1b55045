import { findTokenHead } from '@dropbp/core';
import * as tf from '@tensorflow/tfjs';
import { nearNames, problem } from '@dropbp/basics';
import { toFloat32, type Checkpoint, type Dtype, type Rows } from '@dropbp/safetensors';
import type { Definition, StoredParts } from '../architectures/architecture.ts';
import { AT_A_TIME, makeWeight, type Making, type WeightForms } from './makeWeight.ts';
import { parameterShapes } from './parameterShapes.ts';
import { storedDtype, type StoredDtype } from './saveModel.ts';

/** The weights of a checkpoint. */
export interface Weights {
  /** Every weight by name, widened to float32 exactly, and then in the wanted form. The caller owns them. */
  readonly parameters: ReadonlyMap<string, tf.Tensor>;
  /** The type that each was stored as. */
  readonly dtypes: ReadonlyMap<string, StoredDtype>;
}

/** Options of {@link readWeights}. */
interface ReadWeightsOptions extends WeightForms {
  readonly signal?: AbortSignal | undefined;
  /** Called after each tensor with the number that are there. */
  readonly onTensor?: ((done: number, total: number) => void) | undefined;
}

/** The weights that a checkpoint holds, matched with those that its model has. */
export interface StoredWeights {
  /** The shape of every weight by name, in the order of the modules. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The type that each is stored as. */
  readonly dtypes: ReadonlyMap<string, StoredDtype>;
  /** Widened to float32 exactly: all of it, or some rows of its first axis. */
  readonly read: (name: string, rows?: Rows) => Promise<Float32Array<ArrayBuffer>>;
  /** @throws Problem if a copy of a tied weight differs from it */
  readonly checkTied: () => Promise<void>;
}

/**
 * Finds the weights of a model in a checkpoint. Nothing is read of them yet.
 *
 * @throws Problem that lists the tensors that are missing, unknown or misshapen
 */
export function findWeights(checkpoint: Checkpoint, definition: Definition): StoredWeights {
  const shapes = parameterShapes(definition);
  const stored = matchNames(checkpoint, definition, shapes);
  const dtypeOf = (name: string): Dtype => checkpoint.tensors.get(stored.get(name)![0]!)!.dtype;
  return {
    shapes,
    dtypes: new Map([...shapes.keys()].map(name => [name, storedDtype(dtypeOf(name))])),
    read: (name, rows) => readParts(checkpoint, stored.get(name)!, shapes.get(name)!, rows),
    checkTied: () => checkTiedCopy(checkpoint, definition, stored),
  };
}

/**
 * Reads the weights of a model, one tensor at a time.
 *
 * @throws Problem that lists the tensors that are missing, unknown or misshapen
 */
export async function readWeights(
  checkpoint: Checkpoint,
  definition: Definition,
  options: ReadWeightsOptions = {},
): Promise<Weights> {
  const { shapes, dtypes, read, checkTied } = findWeights(checkpoint, definition);
  const parameters = new Map<string, tf.Tensor>();
  try {
    for (const [name, shape] of shapes) {
      options.signal?.throwIfAborted();
      parameters.set(name, await readWeight(makeWeight(definition, name, shape, options), rows => read(name, rows)));
      options.onTensor?.(parameters.size, shapes.size);
    }
    await checkTied();
  } catch (error) {
    tf.dispose([...parameters.values()]);
    throw error;
  }
  return { parameters, dtypes };
}

/** Gives a weight its rows, and with them the loop of events a turn. */
async function readWeight(
  making: Making,
  read: (rows: Rows | undefined) => Promise<Float32Array<ArrayBuffer>>,
): Promise<tf.Tensor> {
  let step = making.next();
  while (step.done !== true) step = making.next(await read(step.value));
  return step.value;
}

/** A weight, widened to float32 exactly: one tensor, or pieces that lie one behind the other. */
async function readParts(
  checkpoint: Checkpoint,
  names: readonly string[],
  shape: readonly number[],
  rows: Rows | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const readOne = async (name: string, part?: Rows): Promise<Float32Array<ArrayBuffer>> =>
    toFloat32(checkpoint.tensors.get(name)!.dtype, await checkpoint.read(name, part));
  if (names.length === 1) return readOne(names[0]!, rows);
  const whole = new Float32Array(tf.util.sizeFromShape([...shape]));
  let begin = 0;
  for (const name of names) {
    const part = await readOne(name);
    whole.set(part, begin);
    begin += part.length;
  }
  const rowSize = whole.length / shape[0]!;
  return rows === undefined ? whole : whole.subarray(rows[0] * rowSize, rows[1] * rowSize);
}

/** Which tensors of the checkpoint are which weight. Checkpoints of the bare model leave out the prefix. */
function matchNames(
  { name: file, tensors }: Checkpoint,
  definition: Definition,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly string[]> {
  const { prefix, storedNames = {}, readName = (stored: string) => stored } = definition;
  const renamed = new Map(Object.entries(storedNames).map(([name, stored]) => [stored, name]));
  const fullName = (storedName: string): string => {
    if (shapes.has(prefix + storedName)) return prefix + storedName;
    return renamed.get(storedName) ?? renamed.get(prefix + storedName) ?? readName(storedName);
  };
  const stored = new Map<string, readonly string[]>();
  const unmatched = new Map<string, string>();
  const misshapen: string[] = [];
  const checkShape = (storedName: string, expected: readonly number[]): void => {
    const { shape } = tensors.get(storedName)!;
    if (String(expected) === String(shape)) return;
    misshapen.push(`${storedName} [${String(shape)}] in place of [${String(expected)}]`);
  };
  for (const storedName of tensors.keys()) {
    const name = fullName(storedName);
    const expected = shapes.get(name);
    if (expected === undefined) {
      if (!definition.isBuffer(storedName)) unmatched.set(storedName, name);
    } else checkShape(storedName, expected);
    stored.set(name, [storedName]);
  }
  for (const name of shapes.keys()) {
    const parts = stored.has(name) ? undefined : definition.storedParts?.(name);
    if (parts === undefined) continue;
    const names = findParts(parts, prefix, tensors);
    names?.forEach(part => {
      unmatched.delete(part);
      checkShape(part, parts.shape);
    });
    if (names !== undefined) stored.set(name, names);
  }
  const unknown = [...unmatched].flatMap(([storedName, name]) => (isTiedHead(name, definition) ? [] : [storedName]));
  const missing = [...shapes.keys()].filter(name => !stored.has(name));
  if (missing.length + unknown.length + misshapen.length > 0) {
    throw problem('models', {
      what: `${file} does not fit its config.json`,
      got: [
        ...listNames('missing', missing),
        ...listNames('not known', unknown.map((name, i) => (i < SHOWN ? name + suggestion(name, missing) : name))), // prettier-ignore
        ...listNames('misshapen', misshapen),
      ].join('; '),
      expected: `the ${shapes.size} weights of a '${definition.architecture}' model`,
    });
  }
  return stored;
}

/** The pieces of a weight in the checkpoint; undefined if one is missing. */
function findParts(
  { count, nameOf }: StoredParts,
  prefix: string,
  tensors: Checkpoint['tensors'],
): string[] | undefined {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = nameOf(i);
    const storedName = [name, name.slice(prefix.length)].find(candidate => tensors.has(candidate));
    if (storedName === undefined) return undefined;
    names.push(storedName);
  }
  return names;
}

function isTiedHead(name: string, definition: Definition): boolean {
  const head = findTokenHead(definition);
  return head !== undefined && name === `${head.path}.weight` && head.weight !== name;
}

/** A copy of the embedding that a checkpoint stores as its tied head adds nothing, if it is one. */
async function checkTiedCopy(
  checkpoint: Checkpoint,
  definition: Definition,
  stored: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const head = findTokenHead(definition);
  if (head === undefined) return;
  const name = `${head.path}.weight`;
  if (head.weight === name || !stored.has(name)) return;
  if (await areEqual(checkpoint, name, stored.get(head.weight)![0]!)) return;
  throw problem('models', {
    what: `${checkpoint.name}: ${name} differs from ${head.weight}, to which config.json ties it`,
    fix: 'set "tie_word_embeddings": false in config.json to use it, or remove it from the checkpoint',
  });
}

/** Whether two matrices hold the same bytes, a few rows at a time. */
async function areEqual(checkpoint: Checkpoint, name: string, other: string): Promise<boolean> {
  const [one, two] = [checkpoint.tensors.get(name)!, checkpoint.tensors.get(other)!];
  if (one.dtype !== two.dtype || String(one.shape) !== String(two.shape)) return false;
  const [rows = 0, columns = 1] = one.shape;
  const step = Math.max(1, Math.floor(AT_A_TIME / columns));
  for (let row = 0; row < rows; row += step) {
    const part: Rows = [row, Math.min(row + step, rows)];
    const [copy, original] = await Promise.all([checkpoint.read(name, part), checkpoint.read(other, part)]);
    if (!copy.every((byte, i) => byte === original[i])) return false;
  }
  return true;
}

/** Names that an error lists of each kind. */
const SHOWN = 5;

function listNames(label: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return [`${label}: ${names.slice(0, SHOWN).join(', ')}${more}`];
}

function suggestion(name: string, missing: readonly string[]): string {
  const near = nearNames(name, missing, 1)[0];
  return near === undefined ? '' : ` (for ${near}?)`;
}
