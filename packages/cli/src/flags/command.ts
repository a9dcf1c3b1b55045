import type { ExitCode, Terminal } from '../terminal/terminal.ts';
import type { Flags, FlagValues } from './flag.ts';

/** A command of the command line. */
export interface Command<F extends Flags = Flags> {
  /** `'train'`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Arguments without a name, for the help: `'<folder>'`. Absent where there are none. */
  readonly positional?: {
    readonly placeholder: string;
    readonly help: string;
    readonly isRepeatable?: boolean;
    /** How many there have to be. @defaultValue 1 */
    readonly count?: number;
    /** Whether it may be left out. @defaultValue false */
    readonly isOptional?: boolean;
  };
  readonly flags: F;
  /** Flags of another command of which its errors speak: it says what that one would do. */
  readonly speaksOf?: Flags;
  /** Titles in the help, each in front of the flag that it names. */
  readonly sections?: Readonly<Record<string, string>>;
  /** Whole command lines. */
  readonly examples: readonly string[];
  /**
   * Values from elsewhere, such as a configuration file, for flags that the line does not give; the first wins.
   *
   * @param given - what stands on the line, by key
   * @throws Problem for what is not usable
   */
  layers?(given: ReadonlyMap<string, unknown>, terminal: Terminal): Promise<readonly ReadonlyMap<string, unknown>[]>;
  /** @returns the exit status, where it is not 0. @throws Problem for what the user can mend */
  run(
    flags: FlagValues<F>,
    positionals: readonly string[],
    terminal: Terminal,
  ): Promise<ExitCode | undefined> | Promise<void>;
}

/** Keeps the types of a command's flags. */
export function command<F extends Flags>(definition: Command<F>): Command<F> {
  return definition;
}
