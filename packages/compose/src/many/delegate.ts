/** An object that has, at any time, the properties of another one. @param like - names them */
export function delegate<T extends object>(like: T, current: () => T): T {
  const keys = Object.keys(like) as (keyof T)[];
  const properties = keys.map(key => [key, { configurable: true, enumerable: true, get: () => current()[key] }]);
  return Object.defineProperties({}, Object.fromEntries(properties) as PropertyDescriptorMap) as T;
}
