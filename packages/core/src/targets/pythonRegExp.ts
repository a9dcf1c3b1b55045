import { problem } from '@dropbp/basics';

/**
 * A regular expression of Python, as it stands in an adapter's configuration, for JavaScript.
 *
 * @param room - the package that speaks
 * @param subject - where the expression stands, for messages: `'targetModules'`
 * @throws Problem if it is none, or uses what JavaScript cannot express (inline flags, atomic groups, conditions)
 */
export function pythonRegExp(room: string, subject: string, source: string, frame: (source: string) => string): RegExp {
  const refuse = (cause?: unknown): never => {
    throw problem(room, {
      what: `${subject} is no regular expression that can be used here`,
      got: source,
      expected: 'one without inline flags, atomic groups and conditions',
      ...(cause !== undefined && { cause }),
    });
  };
  let translated = '';
  for (let i = 0; i < source.length;) {
    const rest = source.slice(i);
    const [found, token] = firstToken(rest);
    if (token === 'refused') refuse();
    translated += typeof token === 'function' ? token(found) : found;
    i += found.length;
  }
  try {
    return new RegExp(frame(translated));
  } catch (cause) {
    return refuse(cause);
  }
}

/** What Python writes otherwise, tried in order at each position. */
const tokens: readonly (readonly [RegExp, ((found: string) => string) | 'kept' | 'refused'])[] = [
  [/^\\A/, () => '^'],
  [/^\\Z/, () => '$'],
  [/^\\[\s\S]/, 'kept'],
  [/^\[\^?\](?:\\[\s\S]|[^\\\]])*\]/, found => found.replace(']', '\\]')], // in first place, `]` is a member
  [/^\[(?:\\[\s\S]|[^\\\]])*\]/, 'kept'],
  [/^\(\?P</, () => '(?<'],
  [/^\(\?P=\w+\)/, found => `\\k<${found.slice(4, -1)}>`],
  [/^\(\?[aiLmsuxP>(#-]/, 'refused'],
  [/^\{,\d+\}/, found => found.replace('{', '{0')],
  [/^[\s\S]/, 'kept'],
];

function firstToken(rest: string): [found: string, token: (typeof tokens)[number][1]] {
  for (const [expression, token] of tokens) {
    const found = expression.exec(rest);
    if (found !== null) return [found[0], token];
  }
  return ['', 'refused'];
}
