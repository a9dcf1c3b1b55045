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

/** What fills two columns: letters of East Asia, full-width forms, and emoji. Source: Unicode Standard Annex 11. */
const wide =
  /^(?![\uFF61-\uFFDC])[\p{sc=Han}\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Yi}\u3000-\u303E\u30A0-\u30FF\uFF01-\uFF60\uFFE0-\uFFE6\p{Emoji_Presentation}]|\uFE0F/u;

/** Columns that a text takes on a terminal, colour codes not counted. */
export function displayWidth(text: string): number {
  const plain = text.replaceAll(/\u001B\[\d+m/g, '');
  return [...segmenter.segment(plain)].reduce((sum, { segment }) => sum + widthOf(segment), 0);
}

/** As much of the beginning of a text without colours as fits into so many columns. */
export function cutToWidth(text: string, columns: number): string {
  let left = columns;
  let fitting = '';
  for (const { segment } of segmenter.segment(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    fitting += segment;
  }
  return fitting;
}

function widthOf(character: string): number {
  return wide.test(character) ? 2 : 1;
}
