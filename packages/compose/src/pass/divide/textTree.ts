import type { Text } from './batchTexts.ts';

/** Tokens that texts have in common, or the rest of one text. */
export interface TextNode {
  /** Places of the tokens in the flattened batch. */
  readonly places: readonly number[];
  /** How many of them, the first ones, run forward only. */
  readonly front: number;
  /** How the texts go on that begin so. */
  readonly children: readonly TextNode[];
}

/** Each text by itself. @param isFrontDropped - whether prompts run forward only */
export function separateTexts(texts: readonly Text[], isFrontDropped: boolean): TextNode[] {
  return texts.map(({ places, front }) => ({ places, front: isFrontDropped ? front : 0, children: [] }));
}

/**
 * Texts that begin with the same tokens have these once. Only prompts are shared: of what predicts a label, each text keeps its
 * own.
 *
 * @param keyOf - equal for tokens that are the same, and at the same position
 */
export function shareBeginnings(
  texts: readonly Text[],
  isFrontDropped: boolean,
  keyOf: (place: number) => string,
): TextNode[] {
  const grow = (group: readonly Text[], from: number): TextNode[] => {
    const nodes: TextNode[] = [];
    const byFirst = new Map<string, Text[]>();
    for (const text of group) {
      const key = from < text.front ? keyOf(text.places[from]!) : undefined;
      if (key === undefined) nodes.push(leaf(text, from));
      else byFirst.set(key, [...(byFirst.get(key) ?? []), text]);
    }
    for (const alike of byFirst.values()) {
      const [first] = alike as [Text, ...Text[]];
      const end = alike.length === 1 ? from : commonEnd(alike, from, keyOf);
      if (end === from) nodes.push(...alike.map(text => leaf(text, from)));
      else {
        const places = first.places.slice(from, end);
        nodes.push({ places, front: isFrontDropped ? places.length : 0, children: grow(alike, end) });
      }
    }
    return nodes;
  };
  const leaf = ({ places, front }: Text, from: number): TextNode => ({
    places: places.slice(from),
    front: isFrontDropped ? front - from : 0,
    children: [],
  });
  return grow(texts, 0);
}

/** Up to where the texts have the same tokens, all of them prompt. */
function commonEnd(texts: readonly Text[], from: number, keyOf: (place: number) => string): number {
  const most = Math.min(...texts.map(({ front }) => front));
  let end = from;
  while (end < most) {
    const key = keyOf(texts[0]!.places[end]!);
    if (!texts.every(({ places }) => keyOf(places[end]!) === key)) break;
    end++;
  }
  return end;
}
