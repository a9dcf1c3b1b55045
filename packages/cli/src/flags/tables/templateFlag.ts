import { unusable, type Flag } from '../flag.ts';

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };

/** A prompt with places for columns. A shell hands on `\n` as two characters, so escapes are read here. */
export function templateFlag(): Flag<string | undefined> {
  const read = (given: string, name: string): string => {
    if (given === '') throw unusable(name, given, 'a text that is not empty');
    return given.replaceAll(/\\(.?)/gs, (whole, character: string) => {
      const meant = escapes[character];
      if (meant === undefined) throw unusable(name, whole, String.raw`\n, \t, \r, or \\ for a backslash`);
      return meant;
    });
  };
  return {
    placeholder: '<text>',
    help: String.raw`makes prompts from columns: 'Title: {title}\nCategory:'; double braces that are text`,
    fallback: undefined,
    schema: { type: 'string', minLength: 1 },
    read,
    take(value, name) {
      if (typeof value === 'string') return read(value, name);
      throw unusable(name, value, 'a text');
    },
    write: value => value?.replaceAll(/[\n\t\r\\]/g, character => `\\${nameOf(character)}`),
  };
}

function nameOf(character: string): string {
  return Object.keys(escapes).find(name => escapes[name] === character)!;
}
