import type { GenerateOptions } from '@dropbp/models';
import { flag, ignored, integerFrom, numberIn, only, readFields, text, unusable, type FieldsOf, type ReadField } from './fields.ts'; // prettier-ignore

/** Most stop sequences of a request, as with OpenAI. */
const MOST_STOPS = 4;
const LONGEST_STOP = 256;

const stop: ReadField<readonly string[]> = (value, name) => {
  const stops: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isStop = (given: unknown): given is string =>
    typeof given === 'string' && given !== '' && given.length <= LONGEST_STOP;
  if (stops.length <= MOST_STOPS && stops.every(isStop)) return stops;
  throw unusable(name, value, `at most ${MOST_STOPS} texts of 1 to ${LONGEST_STOP} characters`);
};

/** What a request says of how its answer is written. */
export interface SamplingValues {
  readonly model?: string;
  readonly stream?: boolean;
  readonly stream_options?: StreamOptions;
  readonly stop?: readonly string[];
  readonly seed?: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly max_tokens?: number;
}

interface StreamOptions {
  readonly include_usage?: boolean;
}

/** The fields of {@link SamplingValues}: of chats and completions alike. */
export const samplingFields: FieldsOf<SamplingValues> = {
  model: text,
  stream: flag,
  stream_options: (value, name) =>
    readFields<StreamOptions>(value, { include_usage: flag, include_obfuscation: ignored }, `${name}.`),
  stop,
  seed: integerFrom(-Infinity),
  temperature: numberIn(0, 2),
  top_p: numberIn(0, 1),
  top_k: integerFrom(1),
  max_tokens: integerFrom(1),
  n: only(1),
  frequency_penalty: only(0),
  presence_penalty: only(0),
  logit_bias: only({}),
  user: ignored,
};

/** A request's sampling as options of a generation. OpenAI's default temperature is 1. */
export function samplingOptions({ temperature = 1, top_p, top_k, seed }: SamplingValues): GenerateOptions {
  return {
    temperature,
    ...(temperature > 0 && {
      // A share of 0 leaves the most probable token.
      ...(top_p !== undefined && top_p < 1 && { topP: Math.max(top_p, Number.MIN_VALUE) }),
      ...(top_k !== undefined && { topK: top_k }),
    }),
    ...(seed !== undefined && { seed }),
  };
}
