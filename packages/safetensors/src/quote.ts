/** A tensor's or file's name as messages show it: in quotes, control characters escaped, shortened when it is very long. */
export function quote(name: string): string {
  const text = JSON.stringify(name);
  return text.length > 200 ? `${text.slice(0, 200)}…"` : text;
}
