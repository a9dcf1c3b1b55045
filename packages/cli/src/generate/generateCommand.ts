import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { prepared } from '@dropbp/core';
import { streamText } from '@dropbp/data';
import { generate, type GenerateOptions } from '@dropbp/models';
import { readJsonFile } from '../files/readJsonFile.ts';
import { command } from '../flags/command.ts';
import {
  notNegative,
  number,
  positiveInteger,
  probability,
  requiredText,
  seedInteger,
  text,
  toggle,
} from '../flags/flag.ts';
import { openModel } from '../run/openModel.ts';
import { backendFlag, startBackend } from '../run/startBackend.ts';
import { formatCount, formatSeconds } from '../terminal/formatNumber.ts';
import { paint } from '../terminal/paint.ts';
import { statusLine } from '../terminal/statusLine.ts';

/** `dropbp generate`. */
export const generateCommand = command({
  name: 'generate',
  summary: 'Continues a text with a model, with or without an adapter.',
  flags: {
    model: {
      ...text('<folder|hub id>', 'the model'),
      defaultText: 'the base that the adapter names',
    },
    adapter: text('<folder>', 'an adapter in the format of PEFT, as dropbp train writes it'),
    prompt: requiredText('<text>', 'the text to continue'),
    maxNewTokens: number(positiveInteger, 'tokens to write at most', 100),
    temperature: number(notNegative, '0: always the most probable token; 1: as the model says', 0.8),
    topK: number(positiveInteger, 'draw among this many of the most probable tokens'),
    topP: number(probability, 'draw among the most probable tokens that add up to this probability'),
    seed: { ...number(seedInteger, 'the same seed draws the same text'), defaultText: 'another one each time' },
    backend: backendFlag(),
    json: toggle('print one JSON object instead of the text as it comes'),
  },
  sections: { maxNewTokens: 'How to write', backend: 'Other' },
  examples: [
    'dropbp generate --model models/austen-base --adapter out/psalms/adapter --prompt "And it came to pass"',
    'dropbp generate --model HuggingFaceTB/SmolLM2-135M --prompt "The sea is" --temperature 0',
  ],
  async run(flags, _positionals, terminal) {
    const { adapter, prompt, maxNewTokens, temperature, topK, topP, seed, json } = flags;
    const source = flags.model ?? (await baseOf(adapter));
    await startBackend(flags.backend, terminal);
    const status = statusLine(terminal);
    const { model, tokenizer } = await openModel(source, status);
    const subject = adapter === undefined ? model : compose(model, await prepared(await loadAdapter(adapter), model));

    const options: GenerateOptions = {
      maxNewTokens,
      temperature,
      ...(topK !== undefined && { topK }),
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && { seed }),
    };
    const started = performance.now();
    let count = 0;
    let written = '';
    if (!json) terminal.out(paint('dim', prompt, terminal.outHasColor));
    const tokens = counted(generate(subject, tokenizer.encode(prompt), options), () => count++);
    for await (const piece of streamText(tokenizer, tokens, { skipSpecialTokens: true })) {
      written += piece;
      if (!json) terminal.out(piece);
    }
    const seconds = (performance.now() - started) / 1000;
    if (json) terminal.out(`${JSON.stringify({ prompt, text: written, tokens: count, seconds })}\n`);
    else {
      terminal.out('\n');
      const speed = `${formatCount(count)} tokens in ${formatSeconds(seconds)}`;
      terminal.notes(`${paint('dim', speed, terminal.notesHaveColor)}\n`);
    }
  },
});

/** The model that an adapter names as its base. */
async function baseOf(adapter: string | undefined): Promise<string> {
  if (adapter === undefined) throw problem('cli', { what: 'there is no model to write with', fix: 'give --model' });
  const { base_model_name_or_path: base } = await readJsonFile(join(adapter, 'adapter_config.json'));
  if (typeof base === 'string' && base !== '') return base;
  throw problem('cli', { what: `the adapter in ${adapter} names no base model`, fix: 'give --model' });
}

async function* counted(tokens: AsyncIterable<number>, count: () => void): AsyncGenerator<number> {
  for await (const token of tokens) {
    count();
    yield token;
  }
}
