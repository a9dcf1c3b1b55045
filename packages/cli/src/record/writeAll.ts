import { writeSync } from 'node:fs';

/** Writes all of it: one call of the operating system may write less than it is given. */
export function writeAll(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
}
