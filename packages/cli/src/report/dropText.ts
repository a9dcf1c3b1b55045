import type { DropsRecord } from '../record/runRecord.ts';

/** How DropBP drops, in words: `'by depth'`. */
export function dropText({ allocation, sampling }: DropsRecord): string {
  if (allocation !== 'depth') return `rates '${allocation}', draws '${sampling}'`;
  return sampling === 'nested' ? 'by depth' : `rates by depth, draws '${sampling}'`;
}
