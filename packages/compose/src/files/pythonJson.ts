/**
 * JSON as Python's `json.dumps(value, indent=2, sort_keys=True)` writes it, which PEFT uses: keys in order of their code
 * points at every depth, everything beyond ASCII escaped.
 */
export function pythonJson(value: unknown, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return enclose('[', ']', value.map(entry => inner + pythonJson(entry, inner)), indent); // prettier-ignore
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => compareCodePoints(a, b));
    return enclose('{', '}', entries.map(([key, entry]) => `${inner}${escapeValue(key)}: ${pythonJson(entry, inner)}`), indent); // prettier-ignore
  }
  return escapeValue(value);
}

function enclose(open: string, close: string, lines: readonly string[], indent: string): string {
  return lines.length === 0 ? open + close : `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function escapeValue(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** JavaScript compares UTF-16 units, in which surrogates come before U+E000. */
function compareCodePoints(a: string, b: string): number {
  const [x, y] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}
