import { problem } from '@dropbp/basics';
import type { MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import { answerEmbeddings } from './answers/embeddingAnswer.ts';
import { answerChat, answerCompletion } from './answers/textAnswers.ts';
import { jobQueue } from './batching/jobQueue.ts';
import { ApiError, asApiError } from './http/apiError.ts';
import { checkHost, checkKey, checkOrigin } from './http/guards.ts';
import { bodyReader } from './http/readBody.ts';
import { servedModels, type Served } from './model/served.ts';
import { readOptions, type HandlerOptions } from './options.ts';

/** Answers requests as OpenAI's endpoints do. */
export interface OpenAiHandler {
  /** The names that requests may give as their model. */
  readonly names: readonly string[];
  /** Answers a request; it never throws. */
  fetch(request: Request): Promise<Response>;
  /**
   * Refuses new requests with status 503 and waits for those that are being answered. A second call waits too.
   *
   * @param options - after how many milliseconds answers are broken off. @defaultValue never
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * The endpoints `/v1/models`, `/v1/chat/completions`, `/v1/completions` and `/v1/embeddings` of a model and its adapters, for a
 * server of one's own. Requests that come together run as one batch, whatever adapters they name.
 *
 * @param served - what `loadPretrained` of @dropbp/setup gives, with adapters where there are some. It stays the caller's
 * @throws Problem for an option that is not usable
 *
 * @example
 * ```ts
 * const handler = openAiHandler(await loadPretrained('models/smollm2'));
 * await handler.fetch(new Request('http://localhost/v1/models'));
 * ```
 */
export function openAiHandler(served: Served, options: HandlerOptions = {}): OpenAiHandler {
  const limits = readOptions('openAiHandler()', options);
  const { embedders: given = {}, apiKey, crossOrigin = [], hosts, onFault = () => undefined } = options;
  const models = servedModels(served, options.name);
  const embedders = new Map(Object.entries(given));
  const names = [...models.byName.keys(), ...embedders.keys()];
  const twice = [...embedders.keys()].find(name => models.byName.has(name));
  if (twice !== undefined) {
    throw problem('serve', { what: `there are two models '${twice}'`, fix: 'give one of them another name' });
  }
  const queue = jobQueue(served.tuned ?? served.model, limits);
  const readBody = bodyReader(limits);
  const answering = { models, queue, limits, onFault, embedders };
  let isClosing = false;
  let active = 0;

  const refuseWhenClosing: MiddlewareHandler = async (_, next) => {
    if (isClosing) throw ending();
    return next();
  };
  const app = new Hono();
  app.onError(error => {
    const told = asApiError(error);
    if (told.status >= 500 && !(error instanceof ApiError)) onFault(error);
    return told.response();
  });
  app.notFound(({ req }) => wrongPath(req.path).response());
  app.use(checkHost(hosts), checkOrigin(crossOrigin), checkKey(apiKey), refuseWhenClosing);

  const created = Math.floor(Date.now() / 1000);
  const entry = (id: string): object => ({ id, object: 'model', created, owned_by: 'dropbp' });
  app.get('/health', context => context.json({ status: 'ok' }));
  app.get('/v1/models', context => context.json({ object: 'list', data: names.map(entry) }));
  app.get('/v1/models/:name', context => {
    const name = context.req.param('name');
    if (!names.includes(name)) {
      throw new ApiError({ status: 404, what: 'there is no such model', got: name, expected: names.slice(0, 20).join(', '), code: 'model_not_found' }); // prettier-ignore
    }
    return context.json(entry(name));
  });
  for (const [path, answer] of [
    ['/v1/chat/completions', answerChat],
    ['/v1/completions', answerCompletion],
    ['/v1/embeddings', answerEmbeddings],
  ] as const) {
    app.post(path, async ({ req }) => answer(await readBody(req.raw), req.raw.signal, answering));
    app.all(path, () => wrongMethod(path).response());
  }

  return {
    names,
    async fetch(request) {
      active++;
      try {
        return await app.fetch(request);
      } finally {
        active--;
      }
    },
    async close({ graceMs } = {}) {
      isClosing = true;
      const timer = graceMs === undefined ? undefined : setTimeout(() => queue.breakOff(ending()), graceMs);
      // Bodies that arrive still become jobs.
      while (active > 0 || queue.length > 0) {
        await queue.idle();
        await new Promise(resolve => setTimeout(resolve, 5));
      }
      clearTimeout(timer);
    },
  };
}

function ending(): ApiError {
  return new ApiError({
    ...{ status: 503, type: 'server_error', code: 'server_ending', retryAfter: 5 },
    what: 'the server is ending',
  });
}

function wrongPath(path: string): ApiError {
  return new ApiError({
    status: 404,
    what: 'there is no such endpoint',
    got: path,
    expected: '/v1/models, /v1/chat/completions, /v1/completions or /v1/embeddings',
    code: 'not_found',
  });
}

function wrongMethod(path: string): ApiError {
  return new ApiError({ status: 405, what: `${path} takes POST alone`, code: 'method_not_allowed' });
}
