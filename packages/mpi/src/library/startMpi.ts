import { problem } from '@dropbp/basics';
import type { FoundLibrary } from './findLibrary.ts';
import type { Koffi } from './loadKoffi.ts';
import type { Handle } from './mpiAbi.ts';
import type { MpiLibrary } from './mpiLibrary.ts';

type Values = Float32Array | Int32Array | Uint8Array;

/** A function of the library, bound: called on this thread, or on another by `async`. */
type Bound<Given extends readonly unknown[]> = ((...given: Given) => number) & {
  async(...given: [...Given, (error: Error | null, code: number) => void]): void;
};

/**
 * Begins MPI in this process, such that calls may come from any thread and errors are codes and do not end the process.
 *
 * @throws Problem where MPI does not begin, or does not allow calls from several threads
 */
export function startMpi(koffi: Koffi, { abi, library, version }: FoundLibrary): MpiLibrary {
  const { handleType, inPlace } = abi;
  const handles = abi.handles(name => library.symbol(name) as bigint);
  const { world } = handles;
  const out = (type: string): ReturnType<Koffi['out']> => koffi.out(koffi.pointer(type));
  type Type = string | ReturnType<typeof out>;
  const bind = <Given extends readonly unknown[]>(name: string, ...types: readonly Type[]): Bound<Given> =>
    library.func(name, 'int', [...types]);

  const initThread = bind<[null, null, number, number[]]>('MPI_Init_thread', 'void *', 'void *', 'int', out('int'));
  const setErrors = bind<[Handle, Handle]>('MPI_Comm_set_errhandler', handleType, handleType);
  const commRank = bind<[Handle, number[]]>('MPI_Comm_rank', handleType, out('int'));
  const commSize = bind<[Handle, number[]]>('MPI_Comm_size', handleType, out('int'));
  const split = bind<[Handle, number, number, Handle, Handle[]]>(
    'MPI_Comm_split_type',
    ...[handleType, 'int', 'int', handleType, out(handleType)],
  );
  const errorString = bind<[number, Uint8Array, number[]]>('MPI_Error_string', 'int', 'void *', out('int'));
  const allReduce = bind<[bigint, Values, number, Handle, Handle, Handle]>(
    'MPI_Allreduce',
    ...['void *', 'void *', 'int', handleType, handleType, handleType],
  );
  const allGather = bind<[Values, number, Handle, Values, number, Handle, Handle]>(
    'MPI_Allgather',
    ...['void *', 'int', handleType, 'void *', 'int', handleType, handleType],
  );
  const broadcast = bind<[Values, number, Handle, number, Handle]>(
    'MPI_Bcast',
    ...['void *', 'int', handleType, 'int', handleType],
  );
  const finalize = bind<[]>('MPI_Finalize');
  const abort = bind<[Handle, number]>('MPI_Abort', handleType, 'int');

  const errorText = (code: number): string => {
    const text = new Uint8Array(1024);
    const length = [0];
    errorString(code, text, length);
    return new TextDecoder().decode(text.subarray(0, length[0]));
  };
  const expectDone = (what: string, code: number): void => {
    if (code !== 0) throw problem('mpi', { what: `${what} failed in ${version}`, got: errorText(code) });
  };
  const numberFrom = (what: string, call: (into: number[]) => number): number => {
    const into = [0];
    expectDone(what, call(into));
    return into[0]!;
  };

  const threads = numberFrom('MPI_Init_thread', into => initThread(null, null, abi.threadMultiple, into));
  if (threads !== abi.threadMultiple) {
    throw problem('mpi', {
      what: `${version} does not allow calls from several threads`,
      got: `thread level ${threads}`,
      expected: `MPI_THREAD_MULTIPLE (${abi.threadMultiple})`,
      fix: 'use a build of MPI with threads, as Debian, Fedora and Homebrew have it',
    });
  }
  expectDone('MPI_Comm_set_errhandler', setErrors(world, handles.errorsReturn));
  const rank = numberFrom('MPI_Comm_rank', into => commRank(world, into));
  const size = numberFrom('MPI_Comm_size', into => commSize(world, into));
  const machine: Handle[] = [0];
  expectDone('MPI_Comm_split_type', split(world, abi.sharedMemory, rank, handles.noInfo, machine));
  const localSize = numberFrom('MPI_Comm_size', into => commSize(machine[0]!, into));

  return {
    version,
    rank,
    size,
    localSize,
    allReduceSum: values =>
      promised(done => allReduce.async(inPlace, values, values.length, handles.float, handles.sum, world, done)),
    allReduceMax: numbers =>
      promised(done => allReduce.async(inPlace, numbers, numbers.length, handles.int, handles.max, world, done)),
    allGather: (numbers, into) =>
      promised(done =>
        allGather.async(numbers, numbers.length, handles.int, into, numbers.length, handles.int, world, done),
      ),
    broadcast: (bytes, root) => promised(done => broadcast.async(bytes, bytes.length, handles.byte, root, world, done)),
    finalize: () => finalize(),
    abort: code => abort.async(world, code, () => undefined),
    abortNow: code => void abort(world, code),
    errorText,
  };
}

/** A call on another thread, as a promise. */
function promised(call: (done: (error: Error | null, code: number) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => call((error, code) => (error ? reject(error) : resolve(code))));
}
