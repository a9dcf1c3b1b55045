import { nodeBackends } from './backend/nodeBackends.ts';
import { useBackendFrom, type UseBackend } from './backend/useBackendFrom.ts';

export {
  chooseBackend,
  type BackendCandidate,
  type ChooseBackendOptions,
  type ChosenBackend,
} from './backend/chooseBackend.ts';
export { nodeBackends as backendCandidates } from './backend/nodeBackends.ts';
export type { UseBackend } from './backend/useBackendFrom.ts';
export { loadPretrained, type LoadPretrainedOptions, type Pretrained } from './pretrained/loadPretrained.ts';

/** Activates the best backend that works here, or the named one, and returns its name. See {@link UseBackend}. */
export const useBackend: UseBackend = useBackendFrom(nodeBackends);
