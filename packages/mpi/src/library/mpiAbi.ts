/** A handle of MPI as it is passed: an address (Open MPI, the standard ABI) or a number (MPICH). */
export type Handle = bigint | number;

/** What differs between implementations of MPI for those who call a compiled one: the types and values of its constants. */
export interface MpiAbi {
  /** Whose it is: `'Open MPI'`. */
  readonly name: string;
  /** File names of the library without folders, by `process.platform`, likeliest first. */
  readonly files: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>>;
  /** Folders beside those of the linker in which distributions keep it, by `process.platform`. */
  readonly folders: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>>;
  /**
   * Whether a library of this file name and this `MPI_Get_library_version` is laid out so; where it is, but cannot be
   * used, the reason.
   */
  readonly accepts: (file: string, version: string) => boolean | { readonly refused: string };
  /** C type of every handle. */
  readonly handleType: 'void *' | 'int';
  /** @param symbol - the address of what the library exports by this name */
  readonly handles: (symbol: (name: string) => bigint) => MpiHandles;
  /** `MPI_IN_PLACE`, an address. */
  readonly inPlace: bigint;
  /** `MPI_COMM_TYPE_SHARED`: the ranks of one machine. */
  readonly sharedMemory: number;
  readonly threadMultiple: number;
}

/** The predefined handles that a `Comm` needs. */
export interface MpiHandles {
  readonly world: Handle;
  readonly float: Handle;
  readonly byte: Handle;
  readonly int: Handle;
  readonly sum: Handle;
  readonly max: Handle;
  readonly errorsReturn: Handle;
  readonly noInfo: Handle;
}
