import { stopAtTexts, streamText, type Tokenizer } from '@dropbp/data';
import { ApiError } from '../http/apiError.ts';
import type { JobQueue } from '../batching/jobQueue.ts';
import type { TextJob } from '../batching/textJob.ts';
import type { ServedModel } from '../model/served.ts';
import { samplingOptions, type SamplingValues } from '../requests/sampling.ts';

/** A text as it is written. */
export interface Answer {
  /** Its pieces as they come. To be read once. */
  readonly pieces: AsyncIterable<string>;
  readonly promptTokens: number;
  /** Tokens that were written so far. */
  tokens(): number;
  /** Why it ended, once it has. */
  finishReason(): 'stop' | 'length';
}

/** The answers of a request. */
export interface Answers {
  readonly answers: readonly Answer[];
  /** Says that nobody reads them any more. */
  readonly leave: () => void;
}

/** What {@link writeAnswers} follows. */
export interface Asked {
  readonly queue: JobQueue;
  readonly tokenizer: Tokenizer;
  readonly model: ServedModel;
  /** What each answer goes on from. */
  readonly prompts: readonly (readonly number[])[];
  readonly stopTokens: readonly number[];
  /** Most tokens of an answer; the model may have room for fewer. */
  readonly maxNewTokens: number;
  readonly sampling: SamplingValues;
  readonly signal: AbortSignal;
}

/** Puts prompts into the queue. @throws ApiError for a prompt without room, and where too many wait */
export function writeAnswers(asked: Asked): Answers {
  const { queue, tokenizer, model, prompts, stopTokens, sampling, signal } = asked;
  const { stop = [] } = sampling;
  const jobs = prompts.map((tokens, i): TextJob => {
    checkPrompt(tokens, asked);
    const maxNewTokens = Math.min(asked.maxNewTokens, model.room - tokens.length);
    // Several prompts with one seed draw differently.
    const seed = sampling.seed === undefined ? {} : { seed: sampling.seed + i };
    return { model, tokens, options: { ...samplingOptions(sampling), ...seed, stopTokens, maxNewTokens }, signal };
  });
  const readers = queue.addTexts(jobs);
  const answers = readers.map((reader, i): Answer => {
    let count = 0;
    let read = 0;
    let given = 0;
    async function* counted(): AsyncGenerator<number, void, undefined> {
      for await (const token of reader) {
        count++;
        yield token;
      }
    }
    async function* whole(): AsyncGenerator<string, void, undefined> {
      for await (const piece of streamText(tokenizer, counted(), { skipSpecialTokens: true })) {
        read += piece.length;
        yield piece;
      }
    }
    async function* pieces(): AsyncGenerator<string, void, undefined> {
      for await (const piece of stopAtTexts(whole(), stop)) {
        given += piece.length;
        yield piece;
      }
    }
    return {
      pieces: pieces(),
      promptTokens: jobs[i]!.tokens.length,
      tokens: () => count,
      // A stop sequence leaves a part of the text behind.
      finishReason: () => (given === read && count === jobs[i]!.options.maxNewTokens ? 'length' : 'stop'),
    };
  });
  return { answers, leave: () => readers.forEach(reader => reader.leave()) };
}

function checkPrompt(tokens: readonly number[], { model }: Pick<Asked, 'model'>): void {
  if (tokens.length === 0) throw new ApiError({ what: 'the prompt is empty', expected: 'a text to go on from' });
  const wrong = tokens.find(token => token >= model.runnable.model.vocabSize);
  if (wrong !== undefined) {
    throw new ApiError({ what: 'the prompt holds a token that the model does not know', got: wrong });
  }
  if (tokens.length >= model.room) throw tooLong(`${tokens.length} tokens`, model);
}

/** A token has less than this many characters on average: a longer text is refused before it is encoded. */
const MOST_CHARACTERS = 64;

/** @throws ApiError for a text that cannot have room */
export function checkLength(text: string, model: ServedModel): void {
  if (text.length > MOST_CHARACTERS * model.room) throw tooLong(`${text.length} characters`, model);
}

/** The error of a text that is too long. */
export function tooLong(length: string, { room }: ServedModel): ApiError {
  return new ApiError({
    what: `the text has ${length}`,
    expected: `at most ${room - 1} tokens, the positions of the model`,
    fix: 'shorten it',
    code: 'context_length_exceeded',
  });
}

/** All of a text. */
export async function wholeText({ pieces }: Answer): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

/** What a request has cost, as OpenAI counts it. */
export function usageOf(answers: readonly Answer[]): Record<string, number> {
  const sum = (count: (answer: Answer) => number): number =>
    answers.reduce((total, answer) => total + count(answer), 0);
  const [prompt, completion] = [sum(({ promptTokens }) => promptTokens), sum(answer => answer.tokens())];
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
