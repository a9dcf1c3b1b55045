import bible from '../../../data/kjv.txt.gz?url';

const letters = 120_000;

/** The beginning of the King James Bible, whole lines. @throws Error where it cannot be fetched */
export async function exampleText(): Promise<string> {
  const response = await fetch(bible);
  if (!response.ok || response.body === null) {
    throw new Error(`The example could not be fetched: the server answers ${response.status}.`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  // A server that knows the file's ending has it unpacked on the way.
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const text = isPacked
    ? await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text()
    : new TextDecoder().decode(bytes);
  return text.slice(0, text.lastIndexOf('\n', letters));
}
