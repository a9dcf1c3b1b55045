import type { LabelledRows } from '@dropbp/core';

/** A batch on the host. */
export interface HostBatch {
  /** The tokens of the flattened `[batch · time]`. */
  readonly inputIds: ArrayLike<number>;
  /** 1 = token, 0 = padding; undefined where all are tokens. */
  readonly attentionMask: ArrayLike<number> | undefined;
  /** Where each token stands in its text; undefined where every row is one text. */
  readonly positions: ArrayLike<number> | undefined;
  readonly rows: LabelledRows;
}

/** A text of a batch, up to the last token that predicts a label that counts: nothing reads what comes behind. */
export interface Text {
  /** Its tokens, as places in the flattened `[batch · time]`. */
  readonly places: readonly number[];
  /** How many of them stand in front of the first one that predicts a label that counts: the prompt. */
  readonly front: number;
  /** Its row in the batch. */
  readonly row: number;
}

/**
 * The texts of a batch that have a label that counts, in order.
 *
 * @returns undefined where padding predicts a label: its state means nothing outside the whole batch
 */
export function batchTexts({ attentionMask, positions, rows }: HostBatch): Text[] | undefined {
  const { batch, time } = rows;
  const predicts = new Uint8Array(batch * time);
  const isPredictedInFront = new Uint8Array(batch);
  for (const position of rows.positions) {
    if (position < 0) isPredictedInFront[-1 - position] = 1;
    else predicts[position] = 1;
  }
  const texts: Text[] = [];
  for (let row = 0; row < batch; row++) {
    let isFirstPredicted = isPredictedInFront[row] === 1;
    for (const places of textsOfRow(row, time, positions)) {
      if (places.some(place => predicts[place] === 1 && attentionMask?.[place] === 0)) {
        return undefined;
      }
      const own = places.filter(place => attentionMask?.[place] !== 0);
      const first = own.findIndex(place => predicts[place] === 1);
      const last = own.findLastIndex(place => predicts[place] === 1);
      // What an adapter puts in front predicts the first token alone, and needs none of the row's own.
      if (first >= 0) texts.push({ places: own.slice(0, last + 1), front: isFirstPredicted ? 0 : first, row });
      else if (isFirstPredicted) texts.push({ places: [], front: 0, row });
      isFirstPredicted = false;
    }
  }
  return texts;
}

/** The places of each text of a row: a text begins where the tokens do not go on from the ones before. */
function textsOfRow(row: number, time: number, positions: ArrayLike<number> | undefined): number[][] {
  const places = Array.from({ length: time }, (_, t) => row * time + t);
  if (positions === undefined) return [places];
  const texts: number[][] = [];
  for (const place of places) {
    const goesOn = place > places[0]! && positions[place] === positions[place - 1]! + 1;
    if (goesOn) texts.at(-1)!.push(place);
    else texts.push([place]);
  }
  return texts;
}
