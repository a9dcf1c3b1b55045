import wrapAnsi from 'wrap-ansi';

/** A narrower column of words is harder to read than a line that the screen breaks. */
const LEAST = 20;

/**
 * Breaks lines that are wider than the screen, between words. Escape sequences and wide characters count as they are shown; a word
 * that is too long stays whole.
 *
 * @param indent - columns in front of the text, which every further line begins with
 */
export function wrapWords(text: string, columns: number, indent = 0): string {
  // The last column stays free: some terminals wrap as soon as it is written.
  const room = Math.max(LEAST, columns - 1 - indent);
  return wrapAnsi(text, room).replaceAll('\n', `\n${' '.repeat(indent)}`);
}

/** The same for lines of notes: one that begins with a space, such as a command to copy, stays as it is. */
export function wrapNotes(written: string, columns: number): string {
  return written
    .split('\n')
    .map(line => {
      const [start] = /^(?:\r\u001B\[2K)*/.exec(line)!;
      const rest = line.slice(start.length);
      return rest === '' || rest.startsWith(' ') ? line : start + wrapWords(rest, columns);
    })
    .join('\n');
}
