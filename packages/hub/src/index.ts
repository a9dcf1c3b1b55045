export type { AdapterHubOptions, HubOptions, HubProgress, HubRetry } from './hubOptions.ts';
export {
  findAdapterFolder,
  findModelFolder,
  mayBeHubId,
  rememberSource,
  type RememberedSource,
} from './local/findFolder.ts';
export { resolveHubAdapter, resolveHubSnapshot } from './resolveHubSnapshot.ts';
export { pushToHub } from './push/pushToHub.ts';
export type { Pushed, PushOptions, PushProgress } from './push/pushOptions.ts';
