import type { HubOptions } from '../hubOptions.ts';

/** How far an upload is. */
export interface PushProgress {
  /** The file that moved, by its path in the repository; absent where none did. */
  readonly file?: string;
  /** What is being done. */
  readonly phase: 'reading' | 'uploading' | 'committing';
}

/** How a folder is uploaded. */
export interface PushOptions extends Pick<HubOptions, 'token' | 'endpoint' | 'signal' | 'fetch' | 'retry'> {
  /** The branch, which is made where there is none. @defaultValue 'main' */
  readonly revision?: string;
  /** Whether a repository that is made here is private. One that is there stays as it is. @defaultValue false */
  readonly isPrivate?: boolean;
  /** The text of `README.md` where neither the folder nor the repository has one. @defaultValue none is written */
  readonly card?: string;
  /** What the commit is called. @defaultValue 'Upload with dropbp' */
  readonly message?: string;
  /** Called when a file moved, and when the next phase begins. @defaultValue nobody is told */
  readonly onProgress?: (progress: PushProgress) => void;
}

/** What an upload came to. */
export interface Pushed {
  /** The commit that holds the files. */
  readonly commit: string;
  /** Its page. */
  readonly url: string;
  /** Whether the repository was made. */
  readonly isNew: boolean;
  /** Files that were uploaded, by their paths. */
  readonly uploaded: readonly string[];
  /** Files that the repository had already, byte for byte. */
  readonly unchanged: readonly string[];
  /** Files and folders that are no part of an adapter or model, and stayed here. */
  readonly leftOut: readonly string[];
  /** The model card: written anew, or kept from the folder or the repository; none where none was given. */
  readonly card: 'written' | 'kept' | 'none';
}
