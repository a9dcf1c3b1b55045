// What bundlers for browsers take in the place of index.ts.
import { browserBackends } from './backend/browserBackends.ts';
import { useBackendFrom, type UseBackend } from './backend/useBackendFrom.ts';

export {
  chooseBackend,
  type BackendCandidate,
  type ChooseBackendOptions,
  type ChosenBackend,
} from './backend/chooseBackend.ts';
export { browserBackends as backendCandidates } from './backend/browserBackends.ts';
export type { UseBackend } from './backend/useBackendFrom.ts';
export { loadPretrained, type LoadPretrainedOptions, type Pretrained } from './pretrained/loadPretrained.ts';

/** Activates the best backend that works here, or the named one, and returns its name. See {@link UseBackend}. */
export const useBackend: UseBackend = useBackendFrom(browserBackends);
