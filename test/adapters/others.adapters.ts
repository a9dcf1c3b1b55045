import { architectures, quickArchitectures, testAdapters } from './adaptersOnModels.ts';

for (const type of Object.keys(architectures)) if (!quickArchitectures.includes(type)) testAdapters(type);
