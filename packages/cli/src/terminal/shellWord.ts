/** A text as a shell takes it. Control characters, such as line breaks, take the quotes of bash and zsh: `$'a\nb'`. */
export function shellWord(text: string): string {
  if (/^[\w./:@%+=,-]+$/.test(text)) return text;
  if (!/\p{Cc}/u.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const escaped = text.replaceAll(/[\\']/g, String.raw`\$&`).replaceAll(/\p{Cc}/gu, character => {
    if (character === '\n') return String.raw`\n`;
    return character === '\t' ? String.raw`\t` : `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`;
  });
  return `$'${escaped}'`;
}
