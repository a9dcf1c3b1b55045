import { setImmediate } from 'node:timers/promises';
import { problem } from '@dropbp/basics';
import { stopAtTexts, streamText } from '@dropbp/data';
import { generate } from '@dropbp/models';
import type { Subject } from '../model/openSubject.ts';

/** How a text is written. */
export interface WritingFlags {
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number | undefined;
  /** Texts or tokens that end it, besides those of the model. */
  readonly stop: readonly string[];
}

/** What was written after a text. */
export interface Written {
  readonly text: string;
  readonly tokens: number;
  readonly seconds: number;
  /** Why it ended: at a stop, with as many tokens as there may be, or because it was told to. */
  readonly ended: 'stop' | 'length' | 'interrupt';
}

/** Writes on from a text. */
export interface Writer {
  /** Tokens that text and new ones may have together. */
  readonly room: number;
  /**
   * @param ids - the text so far
   * @param onPiece - hears of each piece as it comes, in whole characters
   * @param signal - ends it, with what there is
   * @throws Problem for a text that leaves no room
   */
  write(ids: readonly number[], onPiece: (piece: string) => void, signal: AbortSignal): Promise<Written>;
}

/** A writer with a model. */
export function writer(opened: Subject, flags: WritingFlags): Writer {
  const { subject, tokenizer, room } = opened;
  const { temperature, topK, topP, seed, stop } = flags;
  const stopTokens = stopTokensOf(opened, stop);
  return {
    room,
    async write(ids, onPiece, signal) {
      if (ids.length >= room) {
        throw problem('cli', {
          what: 'the text has as many tokens as the model has positions for',
          got: ids.length,
          expected: `at most ${room - 1}`,
          fix: 'shorten it',
        });
      }
      const maxNewTokens = Math.min(flags.maxNewTokens, room - ids.length);
      const startedMs = performance.now();
      let count = 0;
      const tokens = generate(subject, ids, {
        ...{ maxNewTokens, temperature, stopTokens },
        ...(topK !== undefined && { topK }),
        ...(topP !== undefined && { topP }),
        ...(seed !== undefined && { seed }),
      });
      const taken = untilAborted(tokens, signal, () => count++);
      let text = '';
      for await (const piece of stopAtTexts(streamText(tokenizer, taken, { skipSpecialTokens: true }), stop)) {
        text += piece;
        onPiece(piece);
      }
      const ended = signal.aborted ? 'interrupt' : count === maxNewTokens ? 'length' : 'stop';
      return { text, tokens: count, seconds: (performance.now() - startedMs) / 1000, ended };
    },
  };
}

/** Tokens that end a text: the model's own, and those that the texts name. */
export function stopTokensOf(
  { tokenizer, endTokens }: Pick<Subject, 'tokenizer' | 'endTokens'>,
  stop: readonly string[],
): number[] {
  const named = stop.map(text => tokenizer.idOf(text)).filter(id => id !== undefined);
  return [...new Set([...endTokens, ...named])];
}

async function* untilAborted(
  tokens: AsyncIterable<number>,
  signal: AbortSignal,
  onToken: () => void,
): AsyncGenerator<number, void, undefined> {
  for await (const token of tokens) {
    // Some backends never wait: Ctrl-C is heard between their tokens alone.
    await setImmediate();
    if (signal.aborted) return;
    onToken();
    yield token;
  }
}
