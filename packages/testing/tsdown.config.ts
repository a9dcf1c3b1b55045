import { defineConfig } from 'tsdown';
import { base } from '../../tsdown.base.ts';

// The suites register their tests with the vitest that runs them: a second one inside the bundle would run none.
export default defineConfig({ ...base, platform: 'node', fixedExtension: false, deps: { neverBundle: ['vitest'] } });
