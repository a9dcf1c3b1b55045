import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/out/**', '**/.venv/**', '**/.cache/**', 'runtimes/**'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // An index that is in range by construction is asserted, not checked: `row[i]!`.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // The types of exports are written out, so that declarations can be made file by file.
      '@typescript-eslint/no-inferrable-types': ['error', { ignoreParameters: true }],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['packages/cli/src/terminal/**', 'packages/cli/test/**', 'examples/**', 'bench/**', 'scripts/**', 'test/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // The command writes through its terminal, which escapes control characters.
    files: ['packages/cli/src/**'],
    ignores: ['packages/cli/src/terminal/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...['stdout', 'stderr', '_rawDebug'].map(property => ({
          object: 'process',
          property,
          message: 'Use the Terminal.',
        })),
      ],
      'no-restricted-imports': ['error', 'console', 'process', 'node:console', 'node:process'],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name='writeSync'][arguments.0.raw=/^[12]$/]",
          message: 'Use the Terminal.',
        },
      ],
    },
  },
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ['**/*.test.ts', 'packages/testing/**', 'packages/*/test/**'],
    rules: { 'max-lines': 'off' },
  },
);
