import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { KeyValue } from '../contract/branch.ts';
import { after } from '../engine.ts';
import { hiddenByMask, type KeyMask } from './keyMask.ts';
import { withGradient } from './withGradient.ts';

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Factor on the scores. @defaultValue `1 / √headSize` */
  readonly scale?: number;
  /** `[batch, keys]`, added to the scores of each key: a large negative number hides it. Shorter: for the last keys. */
  readonly keyBias?: tf.Tensor | undefined;
  /**
   * `[batch, n]`: for each of the last n queries, the first of the last n keys that it sees. Those in front of the last n are
   * seen by all. For rows that hold several texts. @defaultValue all are seen
   */
  readonly textStarts?: tf.Tensor | undefined;
  /** A query sees this many keys, itself included; with `ahead` as many behind it too. @defaultValue all */
  readonly window?: number | undefined;
  /** Whether a query also sees the keys behind it, as in an encoder. It does not go with `textStarts`. @defaultValue false */
  readonly ahead?: boolean | undefined;
  /** Each score s becomes `cap · tanh(s / cap)`, before anything is hidden (Gemma 2). @defaultValue no cap */
  readonly scoreCap?: number | undefined;
  /** Which queries see each key, those of `front` included. It stands for the other two. @defaultValue the order of the keys */
  readonly keyMask?: KeyMask | undefined;
  /** Further keys and values, before `k` and `v`, that take no gradient. @defaultValue none */
  readonly front?: KeyValue | undefined;
  /** Queries that are handled at a time. @defaultValue 128 */
  readonly chunk?: number;
}

/** What hides a key: far below any score, yet finite, so that a row that sees nothing gives no NaN. */
export const HIDDEN = -1e9;

/**
 * Attention with grouped heads. It is causal unless `ahead` is given: the last query sees all keys, each one before it one
 * fewer.
 *
 * Works on chunks of queries, skips the keys that none of a chunk sees, and computes the probabilities again in the
 * backward pass: it saves q, k, v and the result, so memory grows with the sequence, not with its square.
 * The heads of a group are stacked as rows, so that keys and values are never repeated.
 *
 * Sources: Vaswani et al. 2017; grouped heads, Ainslie et al. 2023; the row sum in the gradient, Dao et al.,
 * "FlashAttention", 2022.
 *
 * @param q - `[batch, heads, queries, size]`
 * @param k - `[batch, kvHeads, keys, size]`, keys ≥ queries
 * @param v - of the same shape as k
 * @returns `[batch, heads, queries, size]`
 * @throws Problem for options that do not go together
 */
export function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, options: AttentionOptions = {}): tf.Tensor {
  const extras = extraTensors(options);
  const layout = attentionLayout(q.shape, k.shape, options);
  return withGradient(
    [q, k, v],
    save => {
      const [keys, values] = [behindFront(extras.frontKeys, k), behindFront(extras.frontValues, v)];
      const parts = layout.chunks.map(chunk => {
        const { probabilities } = chunk.score(chunk.queries(q), keys, extras);
        return chunk.ungroup(tf.matMul(probabilities, chunk.keys(values)));
      });
      const out = joinChunks(parts);
      save([q, k, v, out, ...Object.values(extras)]);
      return out;
    },
    (dOut, [q, k, v, out, ...saved], [isQueryWanted, isKeyWanted, isValueWanted]) => {
      const again: Extras = Object.fromEntries(Object.keys(extras).map((name, i) => [name, saved[i]!]));
      const [keys, values] = [behindFront(again.frontKeys, k!), behindFront(again.frontValues, v!)];
      const rowSum = tf.sum(tf.mul(dOut, out!), -1, true);
      const dq: tf.Tensor[] = [];
      let dk: tf.Tensor | undefined;
      let dv: tf.Tensor | undefined;
      // The largest first: the memory that it leaves free is enough for each of the others.
      for (const chunk of layout.chunks.toReversed()) {
        // One chunk after the other: an engine that is free to order them could hold all probabilities at once.
        const rows = after(chunk.queries(q!), dq.at(-1), dk, dv);
        const { probabilities: p, slope } = chunk.score(rows, keys, again);
        const dRows = chunk.queries(dOut);
        const addPart = (sum: tf.Tensor | undefined, x: tf.Tensor): tf.Tensor => {
          const part = chunk.padKeys(x);
          return sum === undefined ? part : tf.add(sum, part);
        };
        if (isValueWanted) dv = addPart(dv, tf.matMul(chunk.ofOwnKeys(p), dRows, true, false));
        if (!isQueryWanted && !isKeyWanted) continue;
        const dCapped = tf.mul(p, tf.sub(tf.matMul(dRows, chunk.keys(values), false, true), chunk.queries(rowSum)));
        const dScores = slope === undefined ? dCapped : tf.mul(dCapped, slope());
        if (isQueryWanted) dq.push(tf.mul(chunk.ungroup(tf.matMul(dScores, chunk.keys(keys))), layout.scale));
        if (isKeyWanted) dk = addPart(dk, tf.mul(tf.matMul(chunk.ofOwnKeys(dScores), rows, true, false), layout.scale));
      }
      return [isQueryWanted ? joinChunks(dq.toReversed()) : undefined, dk, dv];
    },
  );
}

function joinChunks(parts: tf.Tensor[]): tf.Tensor {
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 2);
}

/** Tensors besides queries, keys and values that the backward pass reads again, by name; absent where there are none. */
type Extras = Readonly<
  Partial<Record<'keyBias' | 'textStarts' | 'begins' | 'ends' | 'positions' | 'frontKeys' | 'frontValues', tf.Tensor>>
>;

function extraTensors({ keyBias, textStarts, keyMask, front }: AttentionOptions): Extras {
  const all = {
    ...(keyMask ?? { keyBias, textStarts }),
    frontKeys: front?.keys,
    frontValues: front?.values,
  };
  return Object.fromEntries(Object.entries(all).filter(([, tensor]) => tensor !== undefined));
}

function behindFront(front: tf.Tensor | undefined, own: tf.Tensor): tf.Tensor {
  return front === undefined ? own : tf.concat([front, own], 2);
}

interface QueryChunk {
  /** Rows of these queries, grouped: `[batch · kvHeads, group · queries, last axis]`. */
  queries(x: tf.Tensor): tf.Tensor;
  /** The keys or values that these queries see: `[batch · kvHeads, seen, size]`. */
  keys(x: tf.Tensor): tf.Tensor;
  /** Back from grouped rows to `[batch, heads, queries, size]`. */
  ungroup(x: tf.Tensor): tf.Tensor;
  /** Of scores `[…, seen]`, those of keys that are not in front. */
  ofOwnKeys(scores: tf.Tensor): tf.Tensor;
  /** Gradients of the keys that were seen and are not in front to those of all such keys: `[batch, kvHeads, keys, size]`. */
  padKeys(x: tf.Tensor): tf.Tensor;
  /** How much each query takes of each key. */
  score(rows: tf.Tensor, k: tf.Tensor, extras: Extras): Scored;
}

/** Tensors `[batch · kvHeads, group · queries, seen]`. */
interface Scored {
  readonly probabilities: tf.Tensor;
  /** Derivative of the capped scores by the scores; undefined without a cap. */
  readonly slope: (() => tf.Tensor) | undefined;
}

function attentionLayout(
  qShape: readonly number[],
  kShape: readonly number[],
  options: AttentionOptions,
): { chunks: QueryChunk[]; scale: number } {
  const [batch, heads, queries, size] = qShape as [number, number, number, number];
  const { scale = 1 / Math.sqrt(size), window = Infinity, ahead = false, scoreCap, chunk = 128 } = options;
  if (ahead && options.textStarts !== undefined) throw textsAhead();
  const front = options.front?.keys.shape[2] ?? 0;
  const [, groups, ownKeys] = kShape as [number, number, number];
  const keys = front + ownKeys;
  const beforeTexts = keys - (options.textStarts?.shape[1] ?? keys);
  if (beforeTexts > 0 && window < keys) throw tooSmallWindow(window, keys);
  const group = heads / groups;
  const offset = keys - queries; // position of the first query among the keys

  const makeChunk = (start: number, count: number): QueryChunk => {
    // By a mask, the distance in a text is not that of the keys.
    const first = options.keyMask === undefined ? Math.max(0, Math.min(offset + start - window + 1, keys - 1)) : 0;
    const ofFront = Math.max(0, front - first);
    const end = ahead ? Math.min(keys, offset + start + count + window - 1) : offset + start + count;
    const seen = end - first;
    return {
      queries: x => {
        const part = count === queries ? x : tf.slice(x, [0, 0, start, 0], [-1, -1, count, -1]);
        return tf.reshape(part, [batch * groups, group * count, x.shape[3]!]);
      },
      keys: x => {
        const part = seen === keys ? x : tf.slice(x, [0, 0, first, 0], [-1, -1, seen, -1]);
        return tf.reshape(part, [batch * groups, seen, size]);
      },
      ungroup: x => tf.reshape(x, [batch, heads, count, size]),
      ofOwnKeys: scores => (ofFront === 0 ? scores : tf.slice(scores, [0, 0, ofFront], [-1, -1, seen - ofFront])),
      padKeys: x => {
        const full = tf.reshape(x, [batch, groups, seen - ofFront, size]);
        const before = Math.max(0, first - front);
        return seen === keys ? full : tf.pad(full, [[0, 0], [0, 0], [before, keys - end], [0, 0]]); // prettier-ignore
      },
      score: (rows, k, { keyBias, textStarts, begins, ends, positions }) => {
        const kSeen = seen === keys ? k : tf.slice(k, [0, 0, first, 0], [-1, -1, seen, -1]);
        // The queries are scaled and not the scores, which are more numbers.
        const product = tf.matMul(tf.mul(rows, scale), tf.reshape(kSeen, [batch * groups, seen, size]), false, true);
        const bent = scoreCap === undefined ? undefined : tf.tanh(tf.mul(product, 1 / scoreCap));
        const capped = bent === undefined ? product : tf.mul(bent, scoreCap!);
        let scores = tf.reshape(capped, [batch, heads, count, seen]);
        if (begins !== undefined && ends !== undefined) {
          // Made when the rows are there: an engine could make the masks of all chunks first.
          const mask = { begins: after(begins, rows), ends, positions };
          const hidden = hiddenByMask(mask, { queries, start, count, seen, window });
          scores = tf.add(scores, tf.mul(hidden, HIDDEN));
        } else {
          const mask = ahead
            ? bandMask(count, seen, offset + start - first, window, rows)
            : causalMask(count, seen, window, rows);
          if (mask !== undefined) scores = tf.add(scores, mask);
        }
        if (keyBias !== undefined) scores = tf.add(scores, seenBias(keyBias, keys, first, seen));
        if (textStarts !== undefined) {
          scores = tf.add(scores, textBias(textStarts, { queries, start, count, keys, first, seen }));
        }
        return {
          probabilities: tf.reshape(tf.softmax(scores), [batch * groups, group * count, seen]),
          slope: bent && (() => tf.sub(1, tf.square(bent))),
        };
      },
    };
  };

  const chunks: QueryChunk[] = [];
  for (let start = 0; start < queries; start += chunk) chunks.push(makeChunk(start, Math.min(chunk, queries - start)));
  return { chunks, scale };
}

/**
 * `[count, seen]` of 0 and {@link HIDDEN}, for the last queries of the keys seen; undefined where every query sees every key. Keys are
 * hidden near both ends alone, and an engine makes the rest when `rows` are there: a constant of all keys for each chunk would grow
 * with the square of the sequence.
 */
function causalMask(count: number, seen: number, window: number, rows: tf.Tensor): tf.Tensor | undefined {
  const position = seen - count; // of the first query among the keys
  const outside = Math.max(0, seen - window);
  const widen = (end: tf.Tensor, left: number, right: number): tf.Tensor =>
    left + right === 0 ? end : tf.pad(after(end, rows), [[0, 0], [left, right]]); // prettier-ignore
  const later = hiddenKeys(count, count, (query, key) => key > query);
  const earlier = hiddenKeys(count, outside, (query, key) => key <= position + query - window);
  const ends = [later && widen(later, position, 0), earlier && widen(earlier, 0, seen - outside)];
  const [first, second] = ends.filter(end => end !== undefined);
  return first && second ? tf.add(first, second) : first;
}

/** The same with `ahead`: a query sees as many keys behind it as in front of it. @param position - of the first query among the keys seen */
function bandMask(
  count: number,
  seen: number,
  position: number,
  window: number,
  rows: tf.Tensor,
): tf.Tensor | undefined {
  const left = Math.max(0, position + count - window); // keys in front that the last query does not see
  const right = Math.max(0, seen - position - window); // keys behind that the first query does not see
  const earlier = hiddenKeys(count, left, (query, key) => key <= position + query - window);
  const later = hiddenKeys(count, right, (query, key) => key >= query);
  const widened = [
    earlier && tf.pad(after(earlier, rows), [[0, 0], [0, seen - left]]), // prettier-ignore
    later && tf.pad(after(later, rows), [[0, 0], [seen - right, 0]]), // prettier-ignore
  ];
  const [first, second] = widened.filter(mask => mask !== undefined);
  return first && second ? tf.add(first, second) : first;
}

/** Undefined where nothing is hidden. */
function hiddenKeys(
  queries: number,
  keys: number,
  isHidden: (query: number, key: number) => boolean,
): tf.Tensor2D | undefined {
  const mask = Float32Array.from({ length: queries * keys }, (_, i) =>
    isHidden(Math.floor(i / keys), i % keys) ? HIDDEN : 0,
  );
  return mask.includes(HIDDEN) ? tf.tensor2d(mask, [queries, keys]) : undefined;
}

function seenBias(keyBias: tf.Tensor, keys: number, first: number, seen: number): tf.Tensor {
  const [batch, biased] = keyBias.shape as [number, number];
  const full = biased === keys ? keyBias : tf.pad(keyBias, [[0, 0], [keys - biased, 0]]); // prettier-ignore
  return tf.reshape(tf.slice(full, [0, first], [batch, seen]), [batch, 1, 1, seen]);
}

/** `[batch, 1, count, seen]` of 0 and {@link HIDDEN}: hides the keys in front of each query's text. */
function textBias(
  textStarts: tf.Tensor,
  at: Readonly<Record<'queries' | 'start' | 'count' | 'keys' | 'first' | 'seen', number>>,
): tf.Tensor {
  const { queries, start, count, keys, first, seen } = at;
  const [batch, n] = textStarts.shape as [number, number];
  const full = n === queries ? textStarts : tf.pad(textStarts, [[0, 0], [queries - n, 0]]); // prettier-ignore
  const starts = tf.reshape(tf.slice(full, [0, start], [batch, count]), [batch, 1, count, 1]);
  // Numbers of the keys among the last n; those in front of them come behind all starts.
  const numbers = Float32Array.from({ length: seen }, (_, j) => {
    const number = first + j - (keys - n);
    return number < 0 ? keys : number;
  });
  return tf.mul(tf.cast(tf.less(tf.tensor(numbers, [1, 1, 1, seen]), starts), 'float32'), HIDDEN);
}

function textsAhead(): Error {
  return problem('core', {
    what: 'attention to tokens behind does not keep the texts of a row apart',
    fix: 'give each text a row of its own',
  });
}

/** By their distance, keys in front of the first text would leave the window of the later ones, and not of the first. */
function tooSmallWindow(window: number, keys: number): Error {
  return problem('core', {
    what: 'rows of several texts behind virtual tokens do not fit into the sliding window',
    got: `a window of ${window} for ${keys} keys`,
    fix: 'take shorter rows, or give each text a row of its own',
  });
}
