/** Keeps the entries used last, at most `limit` of them, and says goodbye to those that go. */
export class LruCache<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;
  readonly #onRemoved: (value: V) => void;

  constructor(limit: number, onRemoved: (value: V) => void) {
    this.#limit = limit;
    this.#onRemoved = onRemoved;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The entry of `key`, made where there is none. */
  get(key: string, make: () => V): V {
    let value = this.#entries.get(key);
    if (value === undefined) value = make();
    else this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) this.#remove(this.#entries.keys().next().value!);
    return value;
  }

  /** Keys and values, the one used longest ago first. */
  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.#entries[Symbol.iterator]();
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.#remove(key);
  }

  #remove(key: string): void {
    const value = this.#entries.get(key)!;
    this.#entries.delete(key);
    this.#onRemoved(value);
  }
}
