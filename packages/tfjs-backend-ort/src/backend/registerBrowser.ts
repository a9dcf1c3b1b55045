import { browserDevice } from '../device/browserDevice.ts';
import { registerBackend } from './register.ts';

registerBackend(browserDevice);
