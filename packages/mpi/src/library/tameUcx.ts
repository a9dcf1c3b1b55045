/**
 * Keeps UCX, which Open MPI and MPICH load, from two things that break V8. To be called before either is loaded.
 *
 * - It takes SIGSEGV for itself, by which V8 turns a trap of WebAssembly into an error.
 * - It puts a `brk` of its own into the C library that reports success where the system has refused. V8 maps its code close behind
 *   the heap at times, where the heap cannot grow: memory was given out then that is not there. Without it UCX does not keep
 *   registrations of memory with network cards; who wants that sets `UCX_MEM_EVENTS` to `y`.
 */
export function tameUcx(environment: Record<string, string | undefined> = process.env): void {
  environment.UCX_ERROR_SIGNALS = '';
  environment.UCX_MEM_EVENTS ??= 'n';
}
