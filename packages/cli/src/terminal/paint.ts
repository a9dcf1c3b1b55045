import { escapeControls, escapeLine } from '@dropbp/basics';
import { wrapWords } from './wrapWords.ts';

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

/**
 * Text for a terminal. Its strings are escaped when they are written, so they may come from any file; looks and the order to
 * clear a line are added after that.
 */
export type Styled = string | Painted | Wrapped | ClearLine | readonly Styled[];

/** Text with a look. */
export interface Painted {
  readonly look: Look;
  readonly content: Styled;
}

/** Text that breaks between words where the screen is too narrow for it. */
export interface Wrapped {
  readonly wraps: Styled;
  /** Columns in front of it, which every further line begins with. */
  readonly indent: number;
}

/** Takes away the line that a screen is at; nothing elsewhere. */
export interface ClearLine {
  readonly clearsLine: true;
}

/** The only {@link ClearLine}. */
export const clearLine: ClearLine = { clearsLine: true };

/** Gives text a look, where there are colours. A string stands within a line: line breaks and tabs in it are escaped. */
export function paint(look: Look, content: Styled): Painted {
  return { look, content: withinLine(content) };
}

/** Prose, which breaks between words on a screen. A string stands within a line. @param indent - columns in front of it */
export function wrapped(content: Styled, indent = 0): Wrapped {
  return { wraps: withinLine(content), indent };
}

/**
 * A template for a terminal: ``styled`${paint('dim', name)}  ${path}\n` ``. Line breaks of the template are layout; those in a
 * string that is put into it are escaped.
 */
export function styled(strings: TemplateStringsArray, ...values: readonly (Styled | number)[]): Styled {
  return strings.flatMap((text, i) => {
    const value = values[i];
    return value === undefined ? [text] : [text, withinLine(typeof value === 'number' ? String(value) : value)];
  });
}

/** A string as a value within a line. Other text stays as it is. */
export function withinLine(text: Styled): Styled {
  return typeof text === 'string' ? escapeLine(text) : text;
}

/** Where text is written. */
export interface Medium {
  readonly hasColor: boolean;
  /** Whether a line can be taken away. */
  readonly isInteractive: boolean;
  /** Width of the screen; undefined where there is none, and nothing wraps. */
  readonly columns?: number | undefined;
}

const plainMedium: Medium = { hasColor: false, isInteractive: false };

/** The characters to write: strings escaped, looks as escape sequences where there are colours. */
export function renderText(text: Styled, medium: Medium = plainMedium): string {
  if (typeof text === 'string') return escapeControls(text);
  if ('look' in text) {
    const content = renderText(text.content, medium);
    return medium.hasColor ? colored(text.look, content) : content;
  }
  if ('wraps' in text) {
    const content = renderText(text.wraps, medium);
    return medium.columns === undefined ? content : wrapWords(content, medium.columns, text.indent);
  }
  if ('clearsLine' in text) return medium.isInteractive ? '\r\u001B[2K' : '';
  return text.map(part => renderText(part, medium)).join('');
}

/** Characters between the escape sequences of a look. They are not escaped here. */
export function colored(look: Look, characters: string): string {
  const [start, end] = codes[look];
  return `\u001B[${start}m${characters}\u001B[${end}m`;
}

const segmenter = new Intl.Segmenter();

/** What fills two columns: letters of East Asia, full-width forms, and emoji. Source: Unicode Standard Annex 11. */
const wide =
  /^(?![\uFF61-\uFFDC])[\p{sc=Han}\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Yi}\u3000-\u303E\u30A0-\u30FF\uFF01-\uFF60\uFFE0-\uFFE6\p{Emoji_Presentation}]|\uFE0F/u;

/** Columns that a text takes on a terminal, as it is written: looks not counted, control characters as their escapes. */
export function displayWidth(text: Styled): number {
  const written = renderText(text);
  if (/^[ -~]*$/.test(written)) return written.length;
  return [...segmenter.segment(written)].reduce((sum, { segment }) => sum + widthOf(segment), 0);
}

/** As much of the beginning of a text, as it is written, as fits into so many columns. */
export function cutToWidth(text: string, columns: number): string {
  let left = columns;
  let fitting = '';
  for (const { segment } of segmenter.segment(escapeLine(text))) {
    left -= widthOf(segment);
    if (left < 0) break;
    fitting += segment;
  }
  return fitting;
}

function widthOf(character: string): number {
  return wide.test(character) ? 2 : 1;
}
