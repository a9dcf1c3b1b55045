/** What an error tells its reader. `got` is shown shortened. */
export interface ProblemDetails {
  /** What happened, as a clause: `'rank is not usable'`. */
  what: string;
  /** The value that was received. Left out of the message when the key is absent. */
  got?: unknown;
  /** What would have been accepted. */
  expected?: string;
  /** What the reader can do about it. */
  fix?: string;
  /** The error that led to this one. */
  cause?: unknown;
  /**
   * Whether it is no fault of what was asked for: a full disk, a network that does not answer, a loss that diverged.
   *
   * @defaultValue false: what was handed in has to be mended
   */
  isFailure?: boolean;
}

/** An error that a user can act on. Everything that the packages refuse is refused with one of these. */
export class Problem extends Error {
  /** `'Problem'`, which sets it apart from other errors where `instanceof` does not reach. */
  override readonly name = 'Problem';
  /** The package that speaks, without its scope: `'peft-lora'`. */
  readonly package: string;
  /** Whether it is no fault of what was asked for: commands tell it by their exit status. */
  readonly isFailure: boolean;

  constructor(packageName: string, message: string, cause?: unknown, isFailure: boolean = false) {
    super(message, cause === undefined ? undefined : { cause });
    this.package = packageName;
    this.isFailure = isFailure;
  }
}

/** A loss or gradients that are not finite: what the parameters have come to cannot be gone on from. */
export class NotFinite extends Problem {}

/** The same as {@link problem}, for what is not finite: it is nobody's fault who asked. */
export function notFinite(packageName: string, details: Omit<ProblemDetails, 'isFailure'>): NotFinite {
  return new NotFinite(packageName, problem(packageName, details).message, details.cause, true);
}

/**
 * Makes the error `[@dropbp/<package>] what; got …; expected …; fix.` for the caller to throw.
 *
 * @param packageName - the package that speaks, without its scope
 *
 * @example
 * ```ts
 * throw problem('peft-lora', { what: 'rank is not usable', got: 0.5, expected: 'an integer ≥ 1', fix: 'start with rank: 8' });
 * ```
 */
export function problem(packageName: string, details: ProblemDetails): Problem {
  const parts = [shorten(details.what, LONGEST_PART)];
  if ('got' in details) parts.push(`got ${show(details.got)}`);
  if (details.expected !== undefined) parts.push(`expected ${shorten(details.expected, LONGEST_PART)}`);
  if (details.fix !== undefined) parts.push(shorten(details.fix, LONGEST_PART));
  const text = parts.join('; ');
  const end = text.endsWith('?') ? '' : '.';
  return new Problem(packageName, `[@dropbp/${packageName}] ${text}${end}`, details.cause, details.isFailure);
}

/** Characters of a part of a message: a file may hold names of any length, and any number of them. */
const LONGEST_PART = 4000;
/** Characters of the value that was received. */
const LONGEST_VALUE = 200;

function show(value: unknown): string {
  const text = typeof value === 'number' || typeof value === 'bigint' ? value.toString() : json(value);
  return shorten(text, LONGEST_VALUE);
}

function shorten(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function json(value: unknown): string {
  try {
    const text = JSON.stringify(startOf(value)) as string | undefined;
    return text ?? typeof value; // undefined, functions and symbols have no JSON
  } catch {
    return Object.prototype.toString.call(value); // cyclic, or holds a bigint
  }
}

/** As much of a value as a message shows, so that a list of millions or of many levels costs nothing. */
function startOf(value: unknown): unknown {
  let left = LONGEST_VALUE; // every part has a character at least
  const start = (part: unknown): unknown => {
    left--;
    if (typeof part === 'string') return part.slice(0, LONGEST_VALUE + 1);
    if (Array.isArray(part)) {
      const items: unknown[] = [];
      for (let i = 0; i < part.length && left >= 0; i++) items.push(start(part[i]));
      return items;
    }
    if (ArrayBuffer.isView(part)) return Object.prototype.toString.call(part);
    if (typeof part !== 'object' || part === null || !isPlain(part)) return part;
    const entries: [string, unknown][] = [];
    for (const key in part) {
      if (left < 0) break;
      if (Object.hasOwn(part, key)) {
        entries.push([key.slice(0, LONGEST_VALUE + 1), start((part as Record<string, unknown>)[key])]);
      }
    }
    return Object.fromEntries(entries);
  };
  return start(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
