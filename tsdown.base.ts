import type { UserConfig } from 'tsdown';

/** How every package is built: ESM and types from `src/index.ts` into `dist`. */
export const base: UserConfig = {
  entry: ['src/index.ts'],
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  dts: true,
  sourcemap: true,
  clean: true,
};
