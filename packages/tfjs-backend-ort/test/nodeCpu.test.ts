import { ortSuite } from './ortSuite.ts';

ortSuite('node-cpu');
