import { problem } from '@dropbp/basics';
import { serve } from '@dropbp/serve';
import { command } from '../../flags/command.ts';
import { number, positiveInteger, text, texts, toggle, type NumberRule } from '../../flags/flag.ts';
import { backendFlag } from '../../flags/tables/modelFlags.ts';
import { subjectFlags } from '../../model/openSubject.ts';
import { startBackend } from '../../model/startBackend.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { paint, styled } from '../../terminal/paint.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { findManyAdapters, openManyAdapters } from './manyAdapters.ts';

const portNumber: NumberRule = {
  accepts: v => Number.isInteger(v) && v >= 0 && v < 2 ** 16,
  expected: 'an integer from 0 to 65535',
  schema: { type: 'integer', minimum: 0, maximum: 2 ** 16 - 1 },
};

const { model, revision, weights } = subjectFlags;

const serveFlags = {
  model,
  adapter: texts('<name=folder|hub id>', 'an adapter, and its name for clients; several, one --adapter each'),
  revision,
  weights,
  port: number(portNumber, 'the port to listen on; 0 takes a free one', 8080),
  host: text('<address>', 'the address to listen on; 0.0.0.0 lets other machines in', '127.0.0.1'),
  name: {
    ...text('<name>', 'the name of the model without an adapter, for clients'),
    defaultText: 'the last part of its path or id',
  },
  apiKey: text('<key>', 'the key that requests must carry; DROPBP_API_KEY says the same'),
  crossOrigin: texts('<origin>', 'an origin whose web pages may ask; several, one --cross-origin each'),
  maxNewTokens: number(positiveInteger, 'tokens of an answer at most', 1024),
  batch: number(positiveInteger, 'answers that are written together', 8),
  queue: number(positiveInteger, 'requests that may wait', 64),
  backend: backendFlag(),
  json: toggle('print address and names as one JSON object'),
};

/** `dropbp serve`. */
export const serveCommand = command({
  name: 'serve',
  summary: "Serves a model and its adapters over HTTP, for OpenAI's clients.",
  positional: { placeholder: '[model]', help: 'the model, as with --model', isOptional: true },
  flags: serveFlags,
  sections: { port: 'Who reaches it', maxNewTokens: 'Limits', backend: 'Other' },
  examples: [
    'dropbp serve HuggingFaceTB/SmolLM2-135M-Instruct',
    'dropbp serve --adapter kjv=out/kjv/adapter --adapter psalms=out/psalms/adapter --port 9000',
    'dropbp serve smollm2.gguf --weights int8 --cross-origin http://localhost:5173',
  ],
  async run(flags, [positional], terminal) {
    if (positional !== undefined && flags.model !== undefined) {
      throw problem('cli', { what: `'${positional}' and --model both name a model`, fix: 'give one of them' });
    }
    const status = statusLine(terminal);
    const subject = { ...flags, model: positional ?? flags.model };
    const places = await findManyAdapters(subject, terminal, status);
    await startBackend(flags.backend, terminal);
    const { served, dispose } = await openManyAdapters(places, subject, status);
    const fromEnv = process.env.DROPBP_API_KEY;
    const apiKey = flags.apiKey ?? (fromEnv === '' ? undefined : fromEnv);
    const { host, port, name, crossOrigin, maxNewTokens: newTokens, batch, queue } = flags;
    const interruption = listenForInterruption(terminal, 'Finishing what is being answered; Ctrl-C again ends at once');
    try {
      const server = await serve(served, {
        ...{ host, port, crossOrigin, limits: { newTokens, batch, queue } },
        ...(name !== undefined && { name }),
        ...(apiKey !== undefined && { apiKey }),
        onFault: error => terminal.notes(styled`${paint('red', String(error))}\n`),
      });
      const { url, names } = server;
      if (flags.json) terminal.out(`${JSON.stringify({ url, models: names })}\n`);
      else terminal.out(styled`${paint('bold', url)}  ${names.join(', ')}\n`);
      if (!/^(127\.|localhost$|::1$)/.test(host) && apiKey === undefined) {
        terminal.notes(styled`${paint('yellow', 'Everyone who reaches this machine can ask; --api-key keeps others out')}\n`); // prettier-ignore
      }
      await untilAborted(interruption.signal);
      await server.close();
    } finally {
      interruption.release();
      dispose();
    }
  },
});

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
