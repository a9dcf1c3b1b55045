import { ortSuite } from './ortSuite.ts';

ortSuite('node-webgpu');
