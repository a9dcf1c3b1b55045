export { ia3, type Ia3Options } from './ia3.ts';
export { peftFormat } from './peftFormat.ts';
