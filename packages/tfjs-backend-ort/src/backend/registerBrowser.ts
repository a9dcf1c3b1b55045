import { browserDevice } from '../device/web/browserDevice.ts';
import { registerBackend } from './register.ts';

registerBackend(browserDevice);
