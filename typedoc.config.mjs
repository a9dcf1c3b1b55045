// The reference of every public name, made from the docstrings. A name without one, and a link that leads nowhere, are errors.
import { publicPackages } from './scripts/packPackages.mjs';

const packages = publicPackages();

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'DropBP for TypeScript',
  entryPoints: packages.map(({ folder }) => `${folder}/src/index.ts`),
  packagesRequiringDocumentation: packages.map(({ name }) => name),
  // Members of types that are written in one line: the sentence about the whole says what they are.
  intentionallyNotDocumented: [
    'cli/src.RunRecord.samples.__type.prompt',
    'cli/src.RunRecord.samples.__type.texts',
    'cli/src.RunRecord.ended.__type.why',
    'cli/src.RunRecord.ended.__type.keptStep',
    'core/src.ResumableBatches.from.__type.[asyncIterator]',
    'core/src.ropeTables.__type.cos',
    'core/src.ropeTables.__type.sin',
    'core/src.MatchOptions.bases.__type.configured',
    'core/src.MatchOptions.bases.__type.actual',
    'core/src.encodeForPasses.__type.runnable',
    'core/src.encodeForPasses.__type.dispose',
    'core/src.RowGroups.groups.__type.runnable',
    'core/src.RowGroups.groups.__type.rows',
    'core/src.patternValue.__type.key',
    'core/src.patternValue.__type.value',
    'dropbp/src.CalibrationSettings.__type.at',
    'peft-prefix/src.PromptText.tokenizer.__type.encode',
    'setup/src.ChosenBackend.passedOver.__type.name',
    'setup/src.ChosenBackend.passedOver.__type.reason',
  ],
  tsconfig: 'tsconfig.json',
  readme: 'none',
  out: 'out/api',
  excludeExternals: true,
  excludeInternal: true,
  disableSources: true,
  // Types have a check of their own.
  skipErrorChecking: true,
  validation: { invalidLink: true, invalidPath: true, notDocumented: true, notExported: true },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
};
