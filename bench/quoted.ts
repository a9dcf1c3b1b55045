/** A word of a command, so that a shell takes it as one. */
export function quoted(word: string): string {
  return /^[\w.,/-]+$/.test(word) ? word : `'${word}'`;
}
