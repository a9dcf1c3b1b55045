// Builds the packages where sources have changed since the last time, and installs what is missing: what checks of the built packages begin with.
import { afterSetUp } from './setUp.mjs';

await afterSetUp({ build: true }, () => Promise.resolve());
