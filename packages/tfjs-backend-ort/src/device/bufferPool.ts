/**
 * Buffers for outputs, kept for reuse by exact size: a step asks for the same sizes as the step before, and fresh memory costs a page
 * fault every 4 KiB. It keeps at most as many idle bytes as twice what was ever in use at once, so that sizes which are no longer
 * asked for (another sequence length) go.
 */
export class BufferPool {
  /** Idle buffers by size; the sizes returned to last are at the end. */
  readonly #idle = new Map<number, ArrayBuffer[]>();
  #usedBytes = 0;
  #idleBytes = 0;
  #peakUsedBytes = 0;

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get idleBytes(): number {
    return this.#idleBytes;
  }

  take(sizeBytes: number): ArrayBuffer {
    const buffer = this.#idle.get(sizeBytes)?.pop();
    if (buffer) this.#idleBytes -= sizeBytes;
    return this.adopt(buffer ?? new ArrayBuffer(sizeBytes));
  }

  /** Counts a buffer that is in use as the pool's: it may be returned. */
  adopt(buffer: ArrayBuffer): ArrayBuffer {
    this.#usedBytes += buffer.byteLength;
    this.#peakUsedBytes = Math.max(this.#peakUsedBytes, this.#usedBytes);
    return buffer;
  }

  /** Returns a buffer that nothing reads any more. */
  give(buffer: ArrayBuffer): void {
    this.forget(buffer);
    const list = this.#idle.get(buffer.byteLength) ?? [];
    this.#idle.delete(buffer.byteLength);
    this.#idle.set(buffer.byteLength, list);
    list.push(buffer);
    this.#idleBytes += buffer.byteLength;
    while (this.#idleBytes > 2 * this.#peakUsedBytes) this.#dropOldest();
  }

  /** A buffer that someone outside holds from now on: it never returns. */
  forget(buffer: ArrayBuffer): void {
    this.#usedBytes -= buffer.byteLength;
  }

  /** Lets all idle buffers go. */
  trim(): void {
    this.#idle.clear();
    this.#idleBytes = 0;
    this.#peakUsedBytes = this.#usedBytes;
  }

  #dropOldest(): void {
    const [sizeBytes, list] = this.#idle.entries().next().value!;
    if (list.pop()) this.#idleBytes -= sizeBytes;
    if (list.length === 0) this.#idle.delete(sizeBytes);
  }
}
