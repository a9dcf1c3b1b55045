/** A node of a template that was parsed. */
type Node = Readonly<Record<string, unknown>>;

/** White space as Python's `str.isspace` has it. */
const PYTHON_SPACE =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029' +
  '\u202f\u205f\u3000';

const METHODS = ['strip', 'lstrip', 'rstrip'] as const;

/** What {@link withPythonStrip} calls. */
export const pythonStrip: Readonly<Record<string, (...values: unknown[]) => string>> = {
  python_strip: (text, characters) => stripped(text, characters, true, true),
  python_lstrip: (text, characters) => stripped(text, characters, true, false),
  python_rstrip: (text, characters) => stripped(text, characters, false, true),
};

/**
 * A parsed template that calls Python's `strip`, `lstrip` and `rstrip`, and the filter `trim`, where `@huggingface/jinja` has
 * JavaScript's: those take no characters, and know other white space.
 */
export function withPythonStrip(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withPythonStrip);
  if (node instanceof Map)
    return new Map([...node].map(([key, value]) => [withPythonStrip(key), withPythonStrip(value)]));
  if (typeof node !== 'object' || node === null) return node;
  const own = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withPythonStrip(value)])) as Node;
  const { callee, args } = own as { callee?: Node; args?: unknown[] };
  const method = METHODS.find(name => callee?.type === 'MemberExpression' && nameOf(callee.property) === name);
  if (own.type === 'CallExpression' && method !== undefined && callee?.computed !== true) {
    return call(method, callee!.object, args ?? []);
  }
  const filter = own.filter as Node | undefined;
  if (own.type === 'FilterExpression' && nameOf(filter) === 'trim') return call('strip', own.operand, []);
  if (own.type === 'FilterExpression' && filter?.type === 'CallExpression' && nameOf(filter.callee) === 'trim') {
    return call('strip', own.operand, filter.args as unknown[]);
  }
  return own;
}

function nameOf(node: unknown): unknown {
  const { type, value } = (node ?? {}) as Node;
  return type === 'Identifier' ? value : undefined;
}

function call(method: string, object: unknown, args: readonly unknown[]): Node {
  return { type: 'CallExpression', callee: { type: 'Identifier', value: `python_${method}` }, args: [object, ...args] };
}

function stripped(text: unknown, characters: unknown, isLeft: boolean, isRight: boolean): string {
  if (text === undefined) return '';
  if (typeof text !== 'string') throw new Error('strip: this is no text');
  const set = new Set(typeof characters === 'string' ? characters : PYTHON_SPACE);
  const all = Array.from(text);
  let [start, end] = [0, all.length];
  while (isLeft && start < end && set.has(all[start]!)) start++;
  while (isRight && end > start && set.has(all[end - 1]!)) end--;
  return all.slice(start, end).join('');
}
