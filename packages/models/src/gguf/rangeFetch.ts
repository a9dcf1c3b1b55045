import { problem } from '@dropbp/basics';
import type { ByteSource } from '@dropbp/safetensors';

/** How much of a file is read for its header. A vocabulary of 260,000 tokens takes a third of it. */
const maxHeaderBytes = 50_000_000;

/**
 * A `fetch` whose only resource is a source's bytes, by ranges: `@huggingface/gguf` reads what is fetched.
 *
 * @throws Problem, from the fetch, where a header goes on behind the end of the source
 */
export function rangeFetch(source: ByteSource): typeof fetch {
  return async (_, options) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(options?.headers).get('range') ?? '')!;
    const [begin, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, source.sizeBytes)];
    if (begin >= source.sizeBytes) throw endsInHeader(source);
    if (begin >= maxHeaderBytes) {
      throw problem('models', {
        what: `${source.name}: the header is too long`,
        expected: `at most ${maxHeaderBytes} bytes`,
      });
    }
    return new Response(await source.read(begin, end), { status: 206 });
  };
}

/** What is said of a file that is shorter than its own header. */
export function endsInHeader({ name, sizeBytes }: ByteSource): Error {
  return problem('models', {
    what: `${name} ends inside its header`,
    got: `${sizeBytes} bytes`,
    fix: 'the file is cut short: fetch it again',
  });
}
