/** Whether a value is an object with functions of these names. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const members = value as Readonly<Record<string, unknown>>;
  return names.every(name => isFunction(members[name]));
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
