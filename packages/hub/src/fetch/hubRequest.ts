import { Problem } from '@dropbp/basics';
import { errorCode, HubTransient, statusProblem } from './hubProblem.ts';
import type { HubSettings } from '../hubSettings.ts';

/** A request to the hub. */
export interface HubRequest {
  readonly url: string;
  readonly init?: RequestInit;
  /** What is asked for, for messages. */
  readonly subject: string;
  /** Makes the error of an answer that no retry changes. @defaultValue that of a download */
  readonly refuse?: (response: Response) => Error;
  /** Whether the hub gave out the address signed, so that it takes no token. @defaultValue false */
  readonly isSigned?: boolean;
  /** Bytes of the request's body: the answer to many may take long. @defaultValue 0 */
  readonly sentBytes?: number;
}

/** The slowest upload, in bytes a second, that does not count as silence. */
const LEAST_UPLOAD_RATE = 16_384;

/**
 * Makes one request and hands its answer to `use`, with the bytes of its body. A server that falls silent counts as a
 * broken connection. The token goes to the hub alone, never to the hosts that it redirects to.
 *
 * @throws HubTransient if it may work when tried again, Problem if not, the signal's reason once it is aborted, and what
 * `use` throws
 */
export async function hubRequest<Result>(
  request: HubRequest,
  settings: HubSettings,
  use: (response: Response, chunks: AsyncIterable<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const watchdog = new AbortController();
  const signal = AbortSignal.any([watchdog.signal, ...(settings.signal ? [settings.signal] : [])]);
  const silenceMs = settings.retry.silenceMs + ((request.sentBytes ?? 0) / LEAST_UPLOAD_RATE) * 1000;
  const listen = async <T>(answer: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => watchdog.abort(), silenceMs);
    try {
      return await answer;
    } catch (error) {
      settings.signal?.throwIfAborted();
      if (error instanceof Problem) throw error;
      if (watchdog.signal.aborted) throw new HubTransient(`silence for ${silenceMs / 1000} s`);
      throw brokenProblem(error);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    const init = { ...request.init, headers: withToken(request, settings), signal };
    const response = await listen(settings.fetch(request.url, init));
    checkStatus(response, request, settings);
    return await use(response, chunksOf(response, listen, silenceMs));
  } finally {
    watchdog.abort(); // frees the connection of a body that was not read to its end
  }
}

/** What has to come in the time of a silence, or the connection counts as broken. */
const LEAST_BYTES = 1024;

async function* chunksOf(
  response: Response,
  listen: <T>(answer: Promise<T>) => Promise<T>,
  silenceMs: number,
): AsyncGenerator<Uint8Array, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let [sinceMs, bytes] = [performance.now(), 0];
  for (;;) {
    const { done, value } = await listen(reader.read());
    if (done) return;
    bytes += value.length;
    const ms = performance.now() - sinceMs;
    if (ms > silenceMs) {
      // One byte now and then is silence too.
      if (bytes < LEAST_BYTES) throw new HubTransient(`${bytes} bytes in ${Math.round(ms / 1000)} s`, { isSlow: true });
      [sinceMs, bytes] = [performance.now(), 0];
    }
    yield value;
  }
}

function withToken({ url, init, isSigned = false }: HubRequest, settings: HubSettings): Headers {
  const headers = new Headers(init?.headers);
  const isHub = new URL(url).origin === new URL(settings.endpoint).origin;
  headers.delete('authorization');
  if (settings.token && isHub && !isSigned) headers.set('authorization', `Bearer ${settings.token.value}`);
  return headers;
}

function checkStatus(response: Response, { subject, refuse }: HubRequest, settings: HubSettings): void {
  if (response.ok || response.status === 416) return; // 416: whoever asked for a range deals with it
  const isPassing = [408, 429].includes(response.status) || response.status >= 500;
  if (!isPassing) throw refuse?.(response) ?? statusProblem(response, subject, settings);
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  const retryAfterMs = seconds > 0 ? Math.min(seconds, 60) * 1000 : 0;
  throw new HubTransient(`it answered ${response.status}`, { retryAfterMs });
}

function brokenProblem(error: unknown): HubTransient {
  const code = errorCode(error);
  // Names and routes that fail, connections that nobody takes: as opposed to those that break later.
  const isUnreachable =
    /^(ENOTFOUND|EAI_\w+|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|UND_ERR_CONNECT_TIMEOUT)$/.test(code ?? '');
  return new HubTransient(code ?? (error instanceof Error ? error.message : String(error)), {
    isUnreachable,
    cause: error,
  });
}
