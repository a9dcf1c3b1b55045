import { problem } from '@dropbp/basics';

/** A part of a tokenizer: `{ "type": "ByteLevel", … }`. */
export interface Component {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** What this package reads of a `tokenizer.json`. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
  readonly model: Component & { readonly vocab: Readonly<Record<string, number>> };
}

/** A token beside the model's own. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word?: boolean;
  /** Whether it is looked for in the normalised text. */
  readonly normalized?: boolean;
}

/** The parts of a `Sequence`; the key differs from stage to stage. */
export function sequenceParts(component: Component): readonly Component[] {
  const key = ['normalizers', 'pretokenizers', 'processors', 'decoders'].find(name => name in component);
  return key === undefined ? [] : (component[key] as readonly Component[]);
}

/** The parts of a stage in order, those of a `Sequence` in its place. */
export function leavesOf(component: Component | null): readonly Component[] {
  if (component === null) return [];
  return component.type === 'Sequence' ? sequenceParts(component).flatMap(leavesOf) : [component];
}

/** An error that says which part of a tokenizer is not supported. */
export function unsupported(source: string, part: string, got: unknown, known?: readonly string[]): Error {
  const expected = known && { expected: `one of ${known.join(', ')}` };
  return problem('data', { what: `${source} has a ${part} that is not supported`, got, ...expected });
}
