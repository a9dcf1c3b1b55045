import { backendCandidates, chooseBackend } from '@dropbp/setup';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';

/**
 * Chooses the backend that the flag or else `DROPBP_BACKEND` names, or the best that works, and says so once.
 *
 * @returns its name
 */
export async function startBackend(flag: string | undefined, terminal: Terminal): Promise<string> {
  const fromEnv = process.env.DROPBP_BACKEND;
  const { name, detail, passedOver } = await chooseBackend({
    wanted: flag ?? (fromEnv === '' ? undefined : fromEnv),
    candidates: backendCandidates,
  });
  // That an optional package is not there is no news; that one does not work is.
  const broken = passedOver.filter(({ reason }) => reason !== 'not installed');
  for (const { name: other, reason } of broken) {
    terminal.notes(styled`${paint('yellow', `backend ${other} does not work here`)}: ${reason}\n`);
  }
  const named = detail === undefined ? name : `${name} (${detail})`;
  terminal.notes(styled`${paint('dim', `backend: ${named}`)}\n`);
  return name;
}
