import { chosenNodeDevice } from '../device/node/nodeDevice.ts';
import { registerBackend } from './register.ts';

registerBackend(chosenNodeDevice);
