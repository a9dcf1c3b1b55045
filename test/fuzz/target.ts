import { Problem } from '@dropbp/basics';

/** Something that reads files of users, to be given damaged ones. */
export interface FuzzTarget {
  readonly name: string;
  /** Good inputs, which are damaged in all ways. */
  readonly inputs: readonly Uint8Array[];
  /** Pieces that mean something in such inputs, so that damage reaches further than the first check. */
  readonly pieces: readonly (string | Uint8Array)[];
  /** Reads an input to its end. It may refuse it with a Problem; all else that is thrown is a failure. */
  run(input: Uint8Array): Promise<void>;
}

/** What one input led to. */
export type Outcome = 'accepted' | 'refused';

/** Runs a target. @throws what the target threw, if it is no Problem */
export async function outcomeOf(target: FuzzTarget, input: Uint8Array): Promise<Outcome> {
  try {
    await target.run(input);
    return 'accepted';
  } catch (error) {
    if (error instanceof Problem && error.message.startsWith('[@dropbp/')) return 'refused';
    throw error;
  }
}
