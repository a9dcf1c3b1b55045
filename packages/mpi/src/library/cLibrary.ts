import type { Koffi } from './loadKoffi.ts';

/** What is taken from C itself, to end a process whose threads are stuck: `process.exit()` waits for them. */
export interface CLibrary {
  /** Ends the process at once, without handlers. */
  exitNow(code: number): never;
  /** Has the system end the process in so many seconds, by SIGALRM, whatever it does then. 0 calls that off. */
  alarm(seconds: number): void;
}

/** Binds `_exit` and `alarm`. */
export function cLibrary(koffi: Koffi): CLibrary {
  const library = koffi.load(null);
  return {
    exitNow: library.func('void _exit(int code)') as unknown as CLibrary['exitNow'],
    alarm: library.func('unsigned int alarm(unsigned int seconds)'),
  };
}
