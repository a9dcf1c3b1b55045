/** What values of an `adapter_config.json` may be, for {@link PeftConfigReader.read}. */
export const peftValues: {
  /** True or false. */
  readonly flag: (value: unknown) => value is boolean;
  /** An integer ≥ 1. */
  readonly count: (value: unknown) => value is number;
  /** A number in [0, 1). */
  readonly shareBelowOne: (value: unknown) => value is number;
  /** Any text. */
  readonly text: (value: unknown) => value is string;
  /** Names of modules in a list, or a regular expression. */
  readonly names: (value: unknown) => value is string | string[];
} = {
  flag: value => typeof value === 'boolean',
  count: (value): value is number => Number.isInteger(value) && (value as number) >= 1,
  shareBelowOne: (value): value is number => typeof value === 'number' && value >= 0 && value < 1,
  text: value => typeof value === 'string',
  names: (value): value is string | string[] =>
    typeof value === 'string' || (Array.isArray(value) && value.every(entry => typeof entry === 'string')),
};
