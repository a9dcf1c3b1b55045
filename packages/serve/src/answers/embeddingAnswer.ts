import { encodePrompt } from '@dropbp/data';
import { ApiError } from '../http/apiError.ts';
import { embedTexts } from '../model/embedTexts.ts';
import { findServed } from '../model/served.ts';
import type { TextEmbedder } from '../options.ts';
import { readEmbeddingRequest, type TextInputs } from '../requests/completionRequest.ts';
import type { Answering } from './textAnswers.ts';
import { checkLength, tooLong } from './writeAnswers.ts';

interface Embedded {
  readonly vectors: readonly (Float32Array | readonly number[])[];
  readonly tokens: number;
}

/** Answers `POST /v1/embeddings`. @throws ApiError for what cannot be answered */
export async function answerEmbeddings(
  body: unknown,
  signal: AbortSignal,
  answering: Answering & { readonly embedders: ReadonlyMap<string, TextEmbedder> },
): Promise<Response> {
  const request = readEmbeddingRequest(body);
  const embedder = request.model === undefined ? undefined : answering.embedders.get(request.model);
  const { vectors, tokens } = await (embedder === undefined
    ? embedByModel(request.input, request.model, signal, answering)
    : embedBy(embedder, request.input, answering));
  const write = request.encoding_format === 'base64' ? asBase64 : (vector: Iterable<number>) => [...vector];
  return Response.json({
    object: 'list',
    model: request.model,
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: write(vector) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

async function embedByModel(
  input: TextInputs,
  name: string | undefined,
  signal: AbortSignal,
  { models, queue }: Answering,
): Promise<Embedded> {
  const model = findServed(models, name);
  const { vocabSize } = model.runnable.model;
  const texts = input.map(given => {
    if (typeof given === 'string') checkLength(given, model);
    const ids = typeof given === 'string' ? encodePrompt(models.served.tokenizer, given) : given;
    if (ids.length === 0) throw new ApiError({ what: 'a text of the input is empty', param: 'input' });
    if (ids.length > model.room) throw tooLong(`${ids.length} tokens`, model);
    if (ids.some(id => id >= vocabSize)) {
      throw new ApiError({ what: 'the input holds a token that the model does not know', param: 'input' });
    }
    return Int32Array.from(ids);
  });
  const vectors = await queue.run(() => embedTexts(model.runnable, texts, signal));
  return { vectors, tokens: texts.reduce((sum, { length }) => sum + length, 0) };
}

async function embedBy(embedder: TextEmbedder, input: TextInputs, { queue }: Answering): Promise<Embedded> {
  const texts = input.map(given => {
    if (typeof given === 'string') return given;
    throw new ApiError({
      what: "'input' is not usable",
      expected: 'texts: this model takes no tokens',
      param: 'input',
    });
  });
  const vectors = await queue.run(() => embedder.embed(texts));
  return { vectors, tokens: texts.reduce((sum, text) => sum + (embedder.countTokens?.(text) ?? 0), 0) };
}

/** The bytes of float32, the lowest first, as OpenAI's clients ask for them. */
function asBase64(vector: Float32Array | readonly number[]): string {
  const bytes = Buffer.alloc(4 * vector.length);
  vector.forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
  return bytes.toString('base64');
}
