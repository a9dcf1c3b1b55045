import { checkNumber, checkOptions, checkValue, ranges } from '@dropbp/basics';

/** What a server takes at most. */
export interface ServeLimits {
  /** Bytes of a request's body. @defaultValue 1 MiB */
  readonly bodyBytes: number;
  /** Bytes of all bodies that are being received. @defaultValue 64 MiB */
  readonly allBodiesBytes: number;
  /** Tokens of an answer, whatever a request asks for. @defaultValue 1024 */
  readonly newTokens: number;
  /** Texts that run together. @defaultValue 8 */
  readonly batch: number;
  /** Texts that wait; a request beyond them gets status 429. @defaultValue 64 */
  readonly queue: number;
  /** Connections that are open. @defaultValue 2048 */
  readonly connections: number;
  /** Milliseconds in which a request must arrive whole. @defaultValue 30000 */
  readonly requestMs: number;
  /** Milliseconds that a client may leave an answer unread. @defaultValue 30000 */
  readonly stallMs: number;
}

/** Turns texts into vectors for `/v1/embeddings`. */
export interface TextEmbedder {
  /** A vector of each text, in their order. */
  embed(texts: readonly string[]): Promise<readonly (Float32Array | readonly number[])[]>;
  /** Tokens of a text, for `usage`. @defaultValue they count as 0 */
  countTokens?(text: string): number;
}

/** Options of {@link openAiHandler}. */
export interface HandlerOptions {
  /** The name of the model without an adapter. @defaultValue the last part of where it came from: `SmolLM2-135M` */
  readonly name?: string;
  /** Models for `/v1/embeddings` alone, by name. @defaultValue none: the means of the model's own states */
  readonly embedders?: Readonly<Record<string, TextEmbedder>>;
  /** A key that every request must carry. @defaultValue none */
  readonly apiKey?: string;
  /** Origins whose pages may ask, such as `'http://localhost:5173'`; `'*'` for all. @defaultValue none */
  readonly crossOrigin?: readonly string[];
  /** Names of hosts for which it answers. @defaultValue all */
  readonly hosts?: readonly string[];
  /** What it takes at most. @defaultValue see {@link ServeLimits} */
  readonly limits?: Partial<ServeLimits>;
  /** Hears of faults of the program, of which clients are told status 500 alone. @defaultValue nobody hears of them */
  readonly onFault?: (error: unknown) => void;
}

/** Options of {@link serve}. */
export interface ServeOptions extends HandlerOptions {
  /** The address that it listens on. @defaultValue `127.0.0.1`: this machine alone reaches it */
  readonly host?: string;
  /** 0 takes a free one. @defaultValue 8080 */
  readonly port?: number;
}

const defaultLimits: ServeLimits = {
  bodyBytes: 2 ** 20,
  allBodiesBytes: 2 ** 26,
  newTokens: 1024,
  batch: 8,
  queue: 64,
  connections: 2048,
  requestMs: 30_000,
  stallMs: 30_000,
};

const handlerOptionNames = ['name', 'embedders', 'apiKey', 'crossOrigin', 'hosts', 'limits', 'onFault'] as const;

/** The limits with their defaults. @throws Problem for an option that is not usable */
export function readOptions(
  subject: string,
  options: ServeOptions,
  more: readonly ('host' | 'port')[] = [],
): ServeLimits {
  checkOptions('serve', subject, options, [...handlerOptionNames, ...more]);
  const { limits = {}, apiKey, port } = options;
  checkOptions('serve', `${subject}: limits`, limits, Object.keys(defaultLimits));
  for (const [name, value] of Object.entries(limits)) checkNumber('serve', `limits.${name}`, value, ranges.count);
  checkValue('serve', 'apiKey', apiKey, key => key === undefined || key !== '', 'a text that is not empty');
  checkValue('serve', 'port', port, at => at === undefined || (Number.isInteger(at) && at >= 0 && at < 2 ** 16), 'an integer from 0 to 65535'); // prettier-ignore
  return { ...defaultLimits, ...limits };
}
