/** A tensor's or file's name as messages show it: in quotes, control characters escaped, shortened when it is very long. */
export function quote(name: string): string {
  return name.length > 200 ? JSON.stringify(`${name.slice(0, 200)}…`) : JSON.stringify(name);
}
