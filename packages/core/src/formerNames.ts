// The names that these functions had before. They go with version 1.0.
import { activateGate } from './ops/activation.ts';
import { encodeForPass, encodeForPasses, encodeOnce, standInForEncoder } from './run/encodeForPass.ts';
import { prepareAdapter } from './run/prepareAdapter.ts';

/** The former name of {@link activateGate}, until 1.0. */
export const gated: typeof activateGate = activateGate;
/** The former name of {@link encodeForPass}, until 1.0. */
export const encoded: typeof encodeForPass = encodeForPass;
/** The former name of {@link encodeForPasses}, until 1.0. */
export const settled: typeof encodeForPasses = encodeForPasses;
/** The former name of {@link encodeOnce}, until 1.0. */
export const encodedOnce: typeof encodeOnce = encodeOnce;
/** The former name of {@link standInForEncoder}, until 1.0. */
export const asIfEncoded: typeof standInForEncoder = standInForEncoder;
/** The former name of {@link prepareAdapter}, until 1.0. */
export const prepared: typeof prepareAdapter = prepareAdapter;
