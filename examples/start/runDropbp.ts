import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Runs a command of the built package in a process of its own.
 *
 * @param stdout - whether its result goes to the terminal. Its progress always does
 * @returns its exit status
 */
export function runDropbp(args: readonly string[], stdout: 'inherit' | 'ignore'): Promise<number> {
  const cli = dirname(createRequire(import.meta.url).resolve('@dropbp/cli/package.json'));
  const child = spawn(process.execPath, [join(cli, 'bin/dropbp.js'), ...args], {
    stdio: ['ignore', stdout, 'inherit'],
  });
  // Ctrl-C reaches the child as well: its end is awaited.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}
