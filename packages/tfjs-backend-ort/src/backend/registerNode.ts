import { chosenNodeDevice } from '../device/nodeDevice.ts';
import { registerBackend } from './register.ts';

registerBackend(chosenNodeDevice);
