import { isObject } from '@dropbp/basics';
import { ApiError } from './apiError.ts';

/** Bytes of requests that may be in memory while they arrive. */
export interface BodyLimits {
  /** Of one body. */
  readonly bodyBytes: number;
  /** Of all bodies that are being received. */
  readonly allBodiesBytes: number;
}

/** Reads bodies, of which only so many bytes may be in memory. */
export type BodyReader = (request: Request) => Promise<Readonly<Record<string, unknown>>>;

/** A reader of JSON objects whose memory is bounded, however many clients send at once. */
export function bodyReader({ bodyBytes, allBodiesBytes }: BodyLimits): BodyReader {
  let held = 0;
  return async request => {
    checkKind(request);
    const claimed = Number(request.headers.get('content-length') ?? 0);
    if (claimed > bodyBytes) throw tooLarge(bodyBytes);
    const chunks: Uint8Array[] = [];
    let own = 0;
    try {
      for await (const chunk of chunksOf(request.body)) {
        own += chunk.length;
        held += chunk.length;
        if (own > bodyBytes) throw tooLarge(bodyBytes);
        if (held > allBodiesBytes) throw busy();
        chunks.push(chunk);
      }
      return parse(chunks);
    } finally {
      held -= own;
    }
  };
}

// A page of another origin cannot send this type without asking first, which the server refuses.
function checkKind(request: Request): void {
  const kind = request.headers.get('content-type') ?? '';
  if (/^application\/json\s*(;|$)/i.test(kind)) return;
  throw new ApiError({
    status: 415,
    what: 'the body has another type than JSON',
    got: kind,
    expected: "the header 'content-type: application/json'",
  });
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new ApiError({ what: 'the body did not arrive whole', cause });
      });
      if (done) return;
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function parse(chunks: readonly Uint8Array[]): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new ApiError({
      what: 'the body is not JSON',
      fix: 'send a JSON object in UTF-8',
      code: 'invalid_json',
      cause,
    });
  }
  if (isObject(value)) return value;
  throw new ApiError({ what: 'the body is not usable', got: value, expected: 'a JSON object' });
}

function tooLarge(bodyBytes: number): ApiError {
  return new ApiError({
    status: 413,
    what: 'the body is too large',
    expected: `at most ${bodyBytes} bytes`,
    code: 'body_too_large',
  });
}

function busy(): ApiError {
  return new ApiError({
    ...{ status: 429, type: 'rate_limit_error', code: 'too_many_requests', retryAfter: 1 },
    what: 'too many requests arrive at once',
    fix: 'try again later',
  });
}
