export type { HubOptions, HubProgress, HubRetry } from './hubOptions.ts';
export { resolveHubSnapshot } from './resolveHubSnapshot.ts';
