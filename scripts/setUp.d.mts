/** Something that the user can mend: printed without a stack. */
export class SetUpError extends Error {}

/** The words that run pnpm of the version that package.json names, the version included. */
export function pnpmCommand(root?: string): string[];

/** Installs and builds, each only when something has changed since the last time. */
export function setUp(options: {
  build: boolean;
  root?: string;
  nodeVersion?: string;
  /** Runs pnpm. */
  run?: (args: string[], root: string, isQuiet?: boolean) => Promise<{ code: number; output: string }>;
  say?: (line: string) => void;
}): Promise<{ installed: boolean; built: boolean }>;
