import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// The parts of other people's clients that are used here: they are installed beside the workspace, by install.mjs.
interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}
interface Chat {
  readonly choices: readonly { readonly message: { readonly content: string }; readonly finish_reason: string }[];
  readonly usage: Usage;
}
interface ChatChunk {
  readonly choices: readonly { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }[];
  readonly usage?: Usage | null;
}
type Create<Whole, Chunk = never> = (
  body: object,
  options?: { readonly signal?: AbortSignal },
) => Promise<Whole & AsyncIterable<Chunk>>;

/** The class of the package `openai`. */
export type OpenAi = new (options: { baseURL: string; apiKey: string; maxRetries?: number }) => {
  readonly models: {
    list(): Promise<{ readonly data: readonly { readonly id: string }[] }>;
    retrieve(name: string): Promise<{ readonly id: string }>;
  };
  readonly chat: { readonly completions: { readonly create: Create<Chat, ChatChunk> } };
  readonly completions: {
    readonly create: Create<
      { readonly choices: readonly { readonly text: string; readonly finish_reason: string }[]; readonly usage: Usage },
      { readonly choices: readonly { readonly text: string }[] }
    >;
  };
  readonly embeddings: {
    readonly create: Create<{ readonly data: readonly { readonly embedding: readonly number[] }[] }>;
  };
};

/** The AI SDK. */
export interface AiSdk {
  generateText(options: object): Promise<{
    readonly text: string;
    readonly finishReason: string;
    readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  }>;
  streamText(options: object): { readonly textStream: AsyncIterable<string>; readonly finishReason: Promise<string> };
  embedMany(options: object): Promise<{ readonly embeddings: readonly (readonly number[])[] }>;
}

type Provider = ((name: string) => unknown) & {
  readonly completionModel: (name: string) => unknown;
  readonly embeddingModel: (name: string) => unknown;
};

const require = createRequire(fileURLToPath(new URL('../../.cache/exports/openai-clients/index.js', import.meta.url)));

/** Loads the clients. */
export function openAiClients(): {
  readonly OpenAI: OpenAi;
  readonly ai: AiSdk;
  readonly createOpenAICompatible: (options: { name: string; baseURL: string; includeUsage?: boolean }) => Provider;
} {
  const { OpenAI } = require('openai') as { OpenAI: OpenAi };
  const { createOpenAICompatible } = require('@ai-sdk/openai-compatible') as {
    createOpenAICompatible: (options: object) => Provider;
  };
  return { OpenAI, createOpenAICompatible, ai: require('ai') as AiSdk };
}
