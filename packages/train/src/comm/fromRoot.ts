import { Problem, problem } from '@dropbp/basics';
import { checkComm } from './checkComm.ts';
import type { Comm } from './comm.ts';

/**
 * Does something on rank 0, and gives every rank what came of it. Where it fails, it fails on every rank: none is left waiting.
 *
 * @param run - called on rank 0 alone; its result is JSON-safe
 * @throws what `run` threw: on the other ranks a Problem with its message
 *
 * @example
 * ```ts
 * const prompt = await fromRoot(comm, () => readFile('prompt.txt', 'utf8')); // the file is on the machine of rank 0 alone
 * ```
 */
export async function fromRoot<T>(comm: Comm, run: () => T | Promise<T>): Promise<T> {
  checkComm(comm);
  if (comm.size === 1) return run();
  if (comm.rank > 0) return unwrap(JSON.parse(await sharedText(comm)) as Outcome<T>);
  let value: T;
  try {
    value = await run();
  } catch (error) {
    await sharedText(comm, JSON.stringify(failure(error)));
    throw error;
  }
  await sharedText(comm, JSON.stringify({ value } satisfies Outcome<T>));
  return value;
}

type Outcome<T> = { readonly value: T } | Failure;
interface Failure {
  readonly package: string;
  readonly message: string;
  readonly isFailure: boolean;
}

function failure(error: unknown): Failure {
  const {
    package: packageName,
    message,
    isFailure,
  } = error instanceof Problem
    ? error
    : problem('train', { what: 'rank 0 failed', got: String(error), isFailure: true });
  return { package: packageName, message, isFailure };
}

function unwrap<T>(outcome: Outcome<T>): T {
  if ('message' in outcome) throw new Problem(outcome.package, outcome.message, undefined, outcome.isFailure);
  return outcome.value;
}

/** The text of rank 0, on every rank. */
async function sharedText(comm: Comm, text: string = ''): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length));
  await comm.broadcast(length, 0);
  const all = comm.rank === 0 ? bytes : new Uint8Array(Number(new DataView(length.buffer).getBigUint64(0)));
  await comm.broadcast(all, 0);
  return new TextDecoder().decode(all);
}
