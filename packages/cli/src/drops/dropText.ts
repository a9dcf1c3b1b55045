import { flagName } from '../flags/flagName.ts';
import type { DropsRecord, PromptDecisionRecord } from '../record/runRecord.ts';

/** How DropBP drops, in words: `'by depth'`. */
export function dropText({ allocation, sampling }: DropsRecord): string {
  if (allocation !== 'depth') return `rates '${allocation}', draws '${sampling}'`;
  return sampling === 'nested' ? 'by depth' : `rates by depth, draws '${sampling}'`;
}

/** Which prompts run forward only, in words: `'prompts run forward only, as --drop-prompts says'`. */
export function promptText(prompts: NonNullable<DropsRecord['prompts']>): string {
  if (prompts === 'on') return `prompts run forward only, as ${flagName('dropPrompts')} says`;
  return `prompts run forward only where gradients show that it pays (${flagName('dropPrompts')} auto)`;
}

/** A decision and why: `'prompts run forward only from here on: ρ² is 0.71, and above 0.63 that pays'`. */
export function decisionText({
  similarity,
  saved,
  dropsPrompts,
  isPossible,
  isPreliminary,
}: PromptDecisionRecord): string {
  if (isPossible === false) return 'prompts keep their backward pass: this model cannot run parts of a text';
  if (saved === 0) return 'there are no prompts to drop';
  const needed = (1 - saved).toFixed(2);
  const found = `ρ² is ${(similarity ** 2).toFixed(2)}`;
  if (isPreliminary === true) {
    return `prompts keep their backward pass until a tenth of the run decides: ${found} now, and dropping pays above ${needed}`;
  }
  return dropsPrompts
    ? `prompts run forward only from here on: ${found}, and above ${needed} that pays`
    : `prompts keep their backward pass: ${found}, and dropping it would pay above ${needed}`;
}
