import { defineConfig } from 'vitest/config';
import { common } from './vitest.common.ts';

// Starts ranks on MPI, which must be installed: see the section `mpi` of scripts/ci.mjs. Not part of `npm test`.
export default defineConfig({
  ...common,
  test: {
    ...common.test,
    include: ['test/mpi/*.mpi.ts'],
    testTimeout: 120_000,
    fileParallelism: false,
    // The launchers themselves miss a signal or an exit code now and then.
    retry: 1,
  },
});
