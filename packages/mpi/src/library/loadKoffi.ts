import { problem } from '@dropbp/basics';

/** The module by which C is called. */
export type Koffi = (typeof import('koffi'))['default'];

/** Loads koffi, which is done under a launcher alone. @throws Problem where its binary for this platform is missing */
export async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import('koffi')).default;
  } catch (cause) {
    throw problem('mpi', {
      what: `koffi, by which MPI is called, does not load on ${process.platform} ${process.arch}`,
      got: cause instanceof Error ? cause.message : cause,
      fix: 'install again without leaving out optional dependencies: koffi brings its binary as one of them',
      cause,
    });
  }
}
