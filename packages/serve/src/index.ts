export { openAiHandler, type OpenAiHandler } from './openAiHandler.ts';
export type { HandlerOptions, ServeLimits, ServeOptions, TextEmbedder } from './options.ts';
export type { Served } from './model/served.ts';
export { serve, type ModelServer } from './serve.ts';
