import type { ChosenFiles } from './chooseFiles.ts';

/** What of a repository is wanted: a model, or an adapter. */
export interface Content {
  /** For messages. */
  readonly noun: 'model' | 'adapter';
  /**
   * Picks the files to fetch.
   *
   * @param available - the paths of the repository
   * @throws Problem if they hold nothing of the kind that we can read
   */
  choose(available: ReadonlySet<string>, id: string): ChosenFiles;
  /** The first file without which the content cannot be used and which is not present; undefined where all are. */
  lacking(present: ReadonlySet<string>): string | undefined;
}
