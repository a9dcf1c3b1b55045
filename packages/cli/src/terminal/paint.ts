const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** A look that text can have on a terminal. */
export type Look = keyof typeof codes;

/** Gives text a look, or returns it as it is where there are no colours. */
export function paint(look: Look, text: string, hasColor: boolean): string {
  const [on, off] = codes[look];
  return hasColor ? `\u001B[${on}m${text}\u001B[${off}m` : text;
}

const segmenter = new Intl.Segmenter();

/** Columns that a text takes on a terminal, colour codes not counted. */
export function displayWidth(text: string): number {
  return [...segmenter.segment(text.replaceAll(/\u001B\[\d+m/g, ''))].length;
}
