import { encodePrompt } from '@dropbp/data';
import { randomUUID } from 'node:crypto';
import type { JobQueue } from '../batching/jobQueue.ts';
import { ApiError, asApiError } from '../http/apiError.ts';
import { eventStream, eventStreamHeaders } from '../http/eventStream.ts';
import { findServed, type ServedModels } from '../model/served.ts';
import type { ServeLimits } from '../options.ts';
import { readChatRequest } from '../requests/chatRequest.ts';
import { readCompletionRequest } from '../requests/completionRequest.ts';
import { checkLength, usageOf, wholeText, writeAnswers, type Answer, type Answers } from './writeAnswers.ts';
import type { SamplingValues } from '../requests/sampling.ts';

/** What answers need beside the request. */
export interface Answering {
  readonly models: ServedModels;
  readonly queue: JobQueue;
  readonly limits: ServeLimits;
  readonly onFault: (error: unknown) => void;
}

/** How an endpoint writes its answers. */
interface Form {
  readonly id: string;
  readonly object: string;
  readonly chunkObject: string;
  /** What a stream begins with. */
  readonly first?: object;
  /** A whole text, as a part of a choice. */
  readonly whole: (text: string) => object;
  /** A piece of a text, as a part of a choice; without one for the last. */
  readonly piece: (text: string | undefined) => object;
}

const chatForm = (): Form => ({
  id: `chatcmpl-${randomUUID()}`,
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  first: { delta: { role: 'assistant', content: '' } },
  whole: content => ({ message: { role: 'assistant', content, refusal: null }, logprobs: null }),
  piece: content => ({ delta: content === undefined ? {} : { content } }),
});

const completionForm = (): Form => ({
  id: `cmpl-${randomUUID()}`,
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: text => ({ text, logprobs: null }),
  piece: text => ({ text: text ?? '', logprobs: null }),
});

/** Answers `POST /v1/chat/completions`. @throws ApiError for what cannot be answered */
export async function answerChat(body: unknown, signal: AbortSignal, answering: Answering): Promise<Response> {
  const { models, queue, limits } = answering;
  const request = readChatRequest(body);
  const model = findServed(models, request.model);
  const { tokenizer, chatTemplate } = models.served;
  if (chatTemplate === undefined) {
    throw new ApiError({
      what: 'the model has no chat template',
      expected: 'a model that was trained to chat',
      fix: 'ask /v1/completions to go on with a text',
    });
  }
  const text = chatTemplate.render(request.messages, { addGenerationPrompt: true });
  checkLength(text, model);
  const prompt = tokenizer.encode(text, { addSpecialTokens: false });
  const asked = request.max_completion_tokens ?? request.max_tokens ?? limits.newTokens;
  const answers = writeAnswers({
    ...{ queue, tokenizer, model, signal, sampling: request },
    prompts: [prompt],
    stopTokens: models.ends.chat,
    maxNewTokens: Math.min(asked, limits.newTokens),
  });
  return respond(answers, chatForm(), request, answering);
}

/** OpenAI's, where a request for a completion does not say it. */
const COMPLETION_TOKENS = 16;

/** Answers `POST /v1/completions`. @throws ApiError for what cannot be answered */
export async function answerCompletion(body: unknown, signal: AbortSignal, answering: Answering): Promise<Response> {
  const { models, queue, limits } = answering;
  const request = readCompletionRequest(body);
  const model = findServed(models, request.model);
  const { tokenizer } = models.served;
  const prompts = request.prompt.map(input => {
    if (typeof input !== 'string') return input;
    checkLength(input, model);
    return encodePrompt(tokenizer, input);
  });
  const answers = writeAnswers({
    ...{ queue, tokenizer, model, signal, sampling: request, prompts },
    stopTokens: models.ends.text,
    maxNewTokens: Math.min(request.max_tokens ?? COMPLETION_TOKENS, limits.newTokens),
  });
  return respond(answers, completionForm(), request, answering);
}

async function respond(
  { answers, leave }: Answers,
  form: Form,
  request: SamplingValues,
  { limits, onFault }: Answering,
): Promise<Response> {
  const head = { id: form.id, created: Math.floor(Date.now() / 1000), model: request.model };
  if (request.stream !== true) {
    const choices = await Promise.all(
      answers.map(async (answer, index) => {
        const text = await wholeText(answer);
        return { index, ...form.whole(text), finish_reason: answer.finishReason() };
      }),
    );
    return Response.json({ ...head, object: form.object, choices, usage: usageOf(answers) });
  }
  const events = streamEvents(answers, form, { ...head, object: form.chunkObject }, request, onFault);
  const stream = eventStream(events, { stallMs: limits.stallMs, onLeft: leave });
  return new Response(stream, { headers: eventStreamHeaders });
}

async function* streamEvents(
  answers: readonly Answer[],
  { first, piece }: Form,
  head: object,
  { stream_options: options = {} }: SamplingValues,
  onFault: (error: unknown) => void,
): AsyncGenerator<string, void, undefined> {
  const withUsage = options.include_usage === true;
  const event = (choices: readonly object[], usage: object | null = null): string =>
    JSON.stringify({ ...head, choices, ...(withUsage && { usage }) });
  try {
    for (const [index, answer] of answers.entries()) {
      const choice = (part: object, finish_reason: string | null = null): string =>
        event([{ index, ...part, finish_reason }]);
      if (first !== undefined) yield choice(first);
      for await (const text of answer.pieces) yield choice(piece(text));
      yield choice(piece(undefined), answer.finishReason());
    }
    if (withUsage) yield event([], usageOf(answers));
    yield '[DONE]';
  } catch (error) {
    const told = asApiError(error);
    if (told.status >= 500) onFault(error);
    // The status has been sent: clients read of an error in an event.
    yield JSON.stringify(told.body);
  }
}
