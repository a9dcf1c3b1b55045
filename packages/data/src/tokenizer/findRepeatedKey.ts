const [QUOTE, BACKSLASH, COLON, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = Array.from('"\\:{}[]', sign =>
  sign.charCodeAt(0),
);

/**
 * Looks for a key that stands twice in one object. `JSON.parse` takes the last of the two, where Rust's readers refuse a file.
 *
 * @param text - JSON that `JSON.parse` takes
 * @param passedOver - the key of objects that are not looked at, for they hold very many keys
 * @returns the key, or undefined where there is none
 */
export function findRepeatedKey(text: string, passedOver: string): string | undefined {
  // Of an object its keys, of a list and of what is passed over undefined.
  const open: (Set<string> | undefined)[] = [];
  let [keys, key]: [Set<string> | undefined, string] = [undefined, ''];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const start = at++;
      for (let own = text.charCodeAt(at); own !== QUOTE; own = text.charCodeAt(++at)) if (own === BACKSLASH) at++;
      if (keys === undefined) continue;
      let next = at + 1;
      while (text.charCodeAt(next) <= 32) next++;
      if (text.charCodeAt(next) !== COLON) continue;
      key = JSON.parse(text.slice(start, at + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    } else if (code === OPEN || code === OPEN_LIST) {
      open.push(keys);
      keys = code === OPEN && !(keys !== undefined && key === passedOver) ? new Set() : undefined;
    } else if (code === CLOSE || code === CLOSE_LIST) keys = open.pop();
  }
  return undefined;
}
