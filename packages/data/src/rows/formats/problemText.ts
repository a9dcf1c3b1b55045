import type { Problem } from '@dropbp/basics';

/** What a problem says, without the package and the full stop, to be part of another one. */
export function problemText({ message }: Problem): string {
  return message.replace(/^\[@dropbp\/data\] /, '').replace(/\.$/, '');
}
