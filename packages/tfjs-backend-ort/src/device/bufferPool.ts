/** What may lie idle beyond the bytes that were needed at once: so many, or this share of them. */
const slackBytes = 64 * 2 ** 20;
const slackShare = 1 / 8;

/**
 * Buffers for outputs, kept for reuse by exact size: a step asks for the same sizes as the step before, and fresh memory costs a page
 * fault every 4 KiB. Idle ones go where with them all memory would be more than was ever needed at once, and a little, so that they
 * hardly raise the peak. Sizes which are no longer asked for (another sequence length) go first.
 */
export class BufferPool {
  /** Idle buffers by size; the sizes returned to last are at the end. */
  readonly #idle = new Map<number, ArrayBuffer[]>();
  #usedBytes = 0;
  #idleBytes = 0;
  /** The most that was needed at once: in use, and by a run between its operations. */
  #peakBytes = 0;

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
    this.makeRoom(0);
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
    this.makeRoom(0);
  }

  /** A buffer that someone outside holds from now on: it never returns. */
  forget(buffer: ArrayBuffer): void {
    this.#usedBytes -= buffer.byteLength;
  }

  /** Lets idle buffers go for a run that needs so much memory of its own. */
  makeRoom(bytes: number): void {
    const needed = this.#usedBytes + bytes;
    this.#peakBytes = Math.max(this.#peakBytes, needed);
    const slack = Math.max(slackBytes, slackShare * this.#peakBytes);
    while (this.#idleBytes > this.#peakBytes + slack - needed) this.#dropOldest();
  }

  /** Lets all idle buffers go. */
  trim(): void {
    this.#idle.clear();
    this.#idleBytes = 0;
    this.#peakBytes = this.#usedBytes;
  }

  #dropOldest(): void {
    const [sizeBytes, list] = this.#idle.entries().next().value!;
    if (list.pop()) this.#idleBytes -= sizeBytes;
    if (list.length === 0) this.#idle.delete(sizeBytes);
  }
}
