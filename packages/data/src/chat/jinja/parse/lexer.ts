/** A piece of a template: text between tags, or a part of what stands in a tag. */
export interface Token {
  readonly type: 'data' | 'block' | 'endBlock' | 'variable' | 'endVariable' | 'name' | 'string' | 'number' | 'operator' | 'end'; // prettier-ignore
  /** The text, unescaped; for numbers as written, without underscores. */
  readonly text: string;
  readonly line: number;
}

/** What is wrong with a template: in its text, or while it renders. */
export class JinjaError extends Error {}

const SPACE = new Set(
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);

/** Whether a character is white space as Python's `str.isspace` has it. */
export function isPythonSpace(character: string | undefined): boolean {
  return character !== undefined && SPACE.has(character);
}

const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[A-Za-z_]\w*/y;
const STRING = /'[^'\\]*(?:\\[^][^'\\]*)*'|"[^"\\]*(?:\\[^][^"\\]*)*"/y;
const OPERATOR = /\*\*|\/\/|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const TAG = /\{[%{#]/g;
const RAW = /\{%[-+]?[\s\x1c-\x1f\x85]*raw[\s\x1c-\x1f\x85]*(-?)%\}/y;
const END_RAW = /\{%([-+]?)[\s\x1c-\x1f\x85]*endraw[\s\x1c-\x1f\x85]*([-+]?)%\}/g;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * Cuts a Jinja template into tokens, with transformers' settings: a tag takes the white space before it on its line
 * (`lstrip_blocks`) and the line's end behind it (`trim_blocks`). Source: Jinja2 3.1, lexer.py.
 *
 * @throws JinjaError where a tag does not end, or holds what is not Jinja
 */
export function readTokens(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let counted = 0;
  let isLineStart = true;
  const lineAt = (position: number): number => {
    for (; counted < position; counted++) if (source[counted] === '\n') line++;
    return line;
  };
  const push = (type: Token['type'], text: string, position: number): void => {
    tokens.push({ type, text, line: lineAt(position) });
  };
  const fail = (text: string): never => {
    throw new JinjaError(`line ${lineAt(at)}: ${text}`);
  };
  /** Adds the text before a tag, less the white space that the tag takes. */
  const pushData = (text: string, sign: string, isVariable: boolean, position: number): void => {
    let kept = text;
    if (sign === '-') kept = withoutEndSpace(text);
    else if (sign !== '+' && !isVariable) {
      const lastLine = text.lastIndexOf('\n') + 1;
      if ((lastLine > 0 || isLineStart) && isAllSpace(text, lastLine)) kept = text.slice(0, lastLine);
    }
    if (kept !== '') push('data', kept, position);
  };
  /** Moves behind the end of a tag and what that takes. */
  const leave = (end: number, sign: string, trims: boolean): void => {
    at = end;
    if (sign === '-') while (isPythonSpace(source[at])) at++;
    else if (sign !== '+' && trims && source[at] === '\n') at++;
    isLineStart = source[at - 1] === '\n';
  };

  while (at < source.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(source);
    if (tag === null) {
      push('data', source.slice(at), at);
      break;
    }
    const start = tag.index;
    const sign = /[-+]/.test(source[start + 2] ?? '') ? source[start + 2]! : '';
    RAW.lastIndex = start;
    const raw = RAW.exec(source);
    pushData(source.slice(at, start), sign, tag[0] === '{{', at);
    at = start;
    if (raw !== null) {
      leave(RAW.lastIndex, raw[1]!, false);
      END_RAW.lastIndex = at;
      const end = END_RAW.exec(source) ?? fail('{% raw %} does not end');
      pushData(source.slice(at, end.index), end[1]!, false, at);
      leave(END_RAW.lastIndex, end[2]!, true);
    } else if (tag[0] === '{#') {
      at += 2 + sign.length;
      const end = source.indexOf('#}', at);
      if (end < 0) fail('a comment does not end');
      leave(end + 2, end > at && /[-+]/.test(source[end - 1]!) ? source[end - 1]! : '', true);
    } else {
      isLineStart = false;
      readTag(tag[0] === '{{', start + 2 + sign.length);
    }
  }
  push('end', '', source.length);
  return tokens;

  function readTag(isVariable: boolean, start: number): void {
    push(isVariable ? 'variable' : 'block', '', at);
    at = start;
    const open: string[] = [];
    const endOfTag = isVariable ? /(-?)\}\}/y : /([-+]?)%\}/y;
    for (;;) {
      while (isPythonSpace(source[at])) at++;
      if (at >= source.length) fail('a tag does not end');
      endOfTag.lastIndex = at;
      const end = open.length === 0 ? endOfTag.exec(source) : null;
      if (end !== null) {
        push(isVariable ? 'endVariable' : 'endBlock', '', at);
        leave(endOfTag.lastIndex, end[1]!, !isVariable);
        return;
      }
      const number = matched(FLOAT) ?? matched(INTEGER);
      if (number !== undefined) add('number', number, number.replaceAll('_', ''));
      else {
        const name = matched(NAME);
        const text = name === undefined ? matched(STRING) : undefined;
        if (name !== undefined) add('name', name, name);
        else if (text !== undefined) add('string', text, unescaped(text.slice(1, -1), fail));
        else {
          const operator = matched(OPERATOR) ?? fail(`unexpected '${source[at]!}'`);
          if (operator in CLOSING) open.push(CLOSING[operator]!);
          else if (')]}'.includes(operator) && open.pop() !== operator) fail(`unexpected '${operator}'`);
          add('operator', operator, operator);
        }
      }
    }
  }

  function matched(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  }

  function add(type: Token['type'], written: string, text: string): void {
    push(type, text, at);
    at += written.length;
  }
}

function withoutEndSpace(text: string): string {
  let end = text.length;
  while (end > 0 && isPythonSpace(text[end - 1])) end--;
  return text.slice(0, end);
}

function isAllSpace(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) if (!isPythonSpace(text[i])) return false;
  return true;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '', '\\': '\\', "'": "'", '"': '"', a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v',
}; // prettier-ignore

const ESCAPE = /\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[^])/gu;

/** A string literal as Python's `unicode-escape` reads it. */
function unescaped(text: string, fail: (text: string) => never): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPE, (whole, rest: string) => {
    const known = ESCAPES[rest];
    if (known !== undefined) return known;
    if (/^[0-7]/.test(rest)) return String.fromCodePoint(Number.parseInt(rest, 8));
    if (/^[xuU]./.test(rest)) {
      const code = Number.parseInt(rest.slice(1), 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) fail(`${whole} is not a character`);
      return String.fromCodePoint(code);
    }
    if (/[xuUN]/.test(rest)) fail(`the escape ${whole} is not supported`);
    const code = rest.codePointAt(0)!;
    if (code < 0x80) return whole;
    // Python first escapes what is not ASCII and then reads the escapes, so that the backslash stands for itself.
    return '\\' + (code < 0x100 ? `x${hex(code, 2)}` : code < 0x10000 ? `u${hex(code, 4)}` : `U${hex(code, 8)}`);
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
