import type { Terminal } from '../terminal/terminal.ts';
import type { Flags, FlagValues } from './flag.ts';

/** A command of the command line. */
export interface Command<F extends Flags = Flags> {
  /** `'train'`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Arguments without a name, for the help: `'<folder>'`. Absent where there are none. */
  readonly positional?: { readonly placeholder: string; readonly help: string; readonly isRepeatable?: boolean };
  readonly flags: F;
  /** Titles in the help, each in front of the flag that it names. */
  readonly sections?: Readonly<Record<string, string>>;
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** @throws Problem for what the user can mend */
  run(flags: FlagValues<F>, positionals: readonly string[], terminal: Terminal): Promise<void>;
}

/** Keeps the types of a command's flags. */
export function command<F extends Flags>(definition: Command<F>): Command<F> {
  return definition;
}
