/** What any compressed file may unpack to, however small it is: 64 MiB. */
const FREE_BYTES = 2 ** 26;
/** How many times its own size a file may unpack to beyond that. Text packs to a tenth, repetitive text to a hundredth. */
const MOST_RATIO = 100;

/**
 * Bytes that a compressed file may unpack to in all, so that a file of some kB cannot fill the memory.
 *
 * @param packedBytes - the size of the file
 */
export function unpackedLimit(packedBytes: number): number {
  return FREE_BYTES + MOST_RATIO * packedBytes;
}
