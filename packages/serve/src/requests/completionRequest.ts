import { ApiError } from '../http/apiError.ts';
import { only, readFields, text, unusable, type FieldsOf, type ReadField } from './fields.ts';
import { samplingFields, type SamplingValues } from './sampling.ts';

/** Texts, or tokens of texts. */
export type TextInputs = readonly (string | readonly number[])[];

/** One or several texts, each as a text or as tokens. @param most - how many there may be */
export function textInputs(most: number): ReadField<TextInputs> {
  const isToken = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const isTokens = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isToken);
  return (value, name) => {
    const inputs: readonly unknown[] =
      Array.isArray(value) && !(value.length > 0 && isTokens(value)) ? (value as unknown[]) : [value];
    const areTexts = inputs.every(input => typeof input === 'string' || isTokens(input));
    if (areTexts && inputs.length > 0 && inputs.length <= most) return inputs;
    throw unusable(name, value, `a text, a list of tokens, or a list of at most ${most} of them`);
  };
}

/** A request to go on with texts. */
export interface CompletionRequest extends SamplingValues {
  readonly prompt: TextInputs;
}

const completionFields: FieldsOf<CompletionRequest> = {
  ...samplingFields,
  prompt: textInputs(16),
  best_of: only(1),
  echo: only(false),
  logprobs: only(0),
  suffix: only(''),
};

/** @throws ApiError for what is not usable, or cannot be done */
export function readCompletionRequest(body: unknown): CompletionRequest {
  const request = readFields<CompletionRequest>(body, completionFields);
  if (request.prompt !== undefined) return { ...request, prompt: request.prompt };
  throw missing('prompt');
}

const encoding: ReadField<'float' | 'base64'> = (value, name) => {
  if (value === 'float' || value === 'base64') return value;
  throw unusable(name, value, "'float' or 'base64'");
};

/** A request for vectors of texts. */
export interface EmbeddingRequest {
  readonly model?: string;
  readonly input: TextInputs;
  readonly encoding_format?: 'float' | 'base64';
}

const embeddingFields: FieldsOf<EmbeddingRequest> = {
  model: text,
  input: textInputs(2048),
  encoding_format: encoding,
  dimensions: only(),
  user: text,
};

/** @throws ApiError for what is not usable, or cannot be done */
export function readEmbeddingRequest(body: unknown): EmbeddingRequest {
  const request = readFields<EmbeddingRequest>(body, embeddingFields);
  if (request.input !== undefined) return { ...request, input: request.input };
  throw missing('input');
}

function missing(param: string): ApiError {
  return new ApiError({
    what: `the request has no ${param}`,
    expected: `'${param}', a text`,
    ...{ param, code: 'missing_parameter' },
  });
}
