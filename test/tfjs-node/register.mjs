// `node --import ./test/tfjs-node/register.mjs`: the package that build.mjs made is found by its name, as if it were installed.
import { register } from 'node:module';

register('./resolve.mjs', import.meta.url);
