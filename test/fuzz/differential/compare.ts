import { Problem } from '@dropbp/basics';
import type { PythonAnswer } from './python.ts';
import { isListed } from './stricter.ts';
import type { Subject } from './subjects.ts';

/** What came of an input on both sides. */
export interface Comparison {
  readonly outcome: 'equal' | 'refused' | 'stricter' | 'undecided' | 'finding';
  /** What makes two findings the same. */
  readonly signature?: string;
  /** For people. */
  readonly text?: string;
}

/** What we make of an input: a value, the message of a refusal, or what went wrong. */
export type OurAnswer = { readonly value: unknown } | { readonly error: string } | { readonly fault: string };

export async function oursOf(subject: Subject, input: Uint8Array): Promise<OurAnswer> {
  try {
    return { value: await subject.ours(input) };
  } catch (error) {
    if (error instanceof Problem) return { error: error.message };
    return { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** We may refuse more than Python where the reason is listed; never accept what it refuses, nor come to other values. */
export function compareAnswers(subject: Subject, ours: OurAnswer, theirs: PythonAnswer): Comparison {
  if ('fault' in ours) return finding('fault', ours.fault);
  if (theirs.error === undefined && !('value' in theirs)) return { outcome: 'undecided' };
  if ('error' in ours) {
    if (theirs.error !== undefined) return { outcome: 'refused' };
    if (isListed('stricter', subject.name, ours.error)) return { outcome: 'stricter' };
    return finding('we refuse, Python accepts', ours.error);
  }
  if (theirs.error !== undefined) {
    if (isListed('laxer', subject.name, theirs.error)) return { outcome: 'equal' };
    return finding('we accept, Python refuses', theirs.error);
  }
  if (subject.isSame?.(ours.value, theirs.value) ?? JSON.stringify(ours.value) === JSON.stringify(theirs.value)) {
    return { outcome: 'equal' };
  }
  return finding('other values', `${shown(ours.value)}\n    instead of ${shown(theirs.value)}`, '');
}

function finding(kind: string, text: string, words: string = text): Comparison {
  const [head = ''] = words.replaceAll(/\S*dropbp-fuzz-\S*/g, '').split('\n');
  const same = head
    .replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, '…')
    .replaceAll(/\d+/g, '0')
    .slice(0, 70);
  return { outcome: 'finding', signature: `${kind}: ${same}`, text: `${kind}: ${text.slice(0, 900)}` };
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 400);
}
