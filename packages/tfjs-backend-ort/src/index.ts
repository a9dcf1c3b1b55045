export { ortBackend } from './backend/register.ts';
export type { OrtBackend, OrtMemory } from './backend/ortBackend.ts';
export type { DeviceMemory } from './device/device.ts';
