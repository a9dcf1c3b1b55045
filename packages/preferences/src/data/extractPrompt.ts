/** What two answers have in common, and how each goes on. */
export interface ExtractedPrompt {
  /** A text, or messages. */
  readonly prompt: string | readonly unknown[];
  /** The rest of the chosen one. */
  readonly chosen: string | readonly unknown[];
  /** The rest of the rejected one. */
  readonly rejected: string | readonly unknown[];
}

/**
 * The prompt with which both answers of a row begin: the longest common beginning, in characters or in messages. A space in front of
 * the difference goes with the answers. Source: `extract_prompt` of TRL 1.16's `data_utils.py`.
 */
export function extractPrompt(
  chosen: string | readonly unknown[],
  rejected: string | readonly unknown[],
): ExtractedPrompt {
  if (typeof chosen !== 'string' || typeof rejected !== 'string') {
    const [ours, theirs] = [Array.from<unknown>(chosen), Array.from<unknown>(rejected)];
    const end = commonLength(ours, theirs, (a, b) => JSON.stringify(a) === JSON.stringify(b));
    return { prompt: ours.slice(0, end), chosen: ours.slice(end), rejected: theirs.slice(end) };
  }
  // Characters as Python counts them.
  const [ours, theirs] = [Array.from(chosen), Array.from(rejected)];
  const common = commonLength(ours, theirs, (a, b) => a === b);
  const end = common > 0 && ours[common - 1] === ' ' ? common - 1 : common;
  const rest = (text: readonly string[]): string => text.slice(end).join('');
  return { prompt: ours.slice(0, end).join(''), chosen: rest(ours), rejected: rest(theirs) };
}

/** Where one goes on as the other ends, the last that they have in common goes with the answers, which are never empty. */
function commonLength<T>(ours: readonly T[], theirs: readonly T[], isEqual: (a: T, b: T) => boolean): number {
  const most = Math.min(ours.length, theirs.length);
  let length = 0;
  while (length < most && isEqual(ours[length]!, theirs[length]!)) length++;
  return length === most ? Math.max(0, most - 1) : length;
}
