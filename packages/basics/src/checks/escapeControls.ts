/**
 * What steers a screen instead of standing on it: control characters except tab and line feed, the line and paragraph
 * separators, what overrides or isolates the direction of writing, and halves of a character.
 */
const steering = /[\0-\u0008\u000B-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069\p{Surrogate}]/gu;

/**
 * Makes a text safe to show: each character that could move the cursor, recolour or reorder a screen becomes `\u001b` and the
 * like. Tabs and line feeds stay. Inside JSON text the result has the same meaning.
 *
 * @example
 * ```ts
 * escapeControls('a\u001B[2Jb'); // 'a\\u001b[2Jb'
 * ```
 */
export function escapeControls(text: string): string {
  return text.replace(steering, escapeCharacter);
}

/** The same for a value that stands within a line: tabs and line feeds are escaped too. */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll(/[\t\n]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
