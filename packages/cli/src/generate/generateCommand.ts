import { text as readAll } from 'node:stream/consumers';
import { problem } from '@dropbp/basics';
import { encodePrompt, type ChatTemplate } from '@dropbp/data';
import { asChat } from '../data/defaultPrompt.ts';
import { command, type ExitCode } from '../flags/command.ts';
import {
  notNegative,
  number,
  positiveInteger,
  probability,
  seedInteger,
  text,
  texts,
  toggle,
  type FlagValues,
} from '../flags/flag.ts';
import { learnedFromChats } from '../run/learnedFromChats.ts';
import { subjectFlags, type Subject } from '../run/openSubject.ts';
import { backendFlag } from '../run/startBackend.ts';
import { withSubject } from '../run/withSubject.ts';
import { formatCount, formatSeconds } from '../terminal/formatNumber.ts';
import { listenForInterruption } from '../terminal/interruption.ts';
import { paint, styled } from '../terminal/paint.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { chat } from './chat.ts';
import { writer } from './writer.ts';

const generateFlags = {
  ...subjectFlags,
  prompt: text('<text>', 'the text to continue; - reads it from standard input'),
  chat: toggle('talk with the model, by its chat template: in the terminal, or once if there is a --prompt'),
  system: text('<text>', 'with --chat: what the conversation begins with'),
  maxNewTokens: { ...number(positiveInteger, 'tokens to write at most'), defaultText: '100; 512 with --chat' },
  temperature: number(notNegative, '0: always the most probable token; 1: as the model says', 0.8),
  topK: number(positiveInteger, 'draw among this many of the most probable tokens'),
  topP: number(probability, 'draw among the most probable tokens that add up to this probability'),
  stop: texts('<text>', "end at this text or token, as at the model's own; several, one --stop each"),
  seed: { ...number(seedInteger, 'the same seed draws the same text'), defaultText: 'another one each time' },
  backend: backendFlag(),
  json: toggle('print one JSON object instead of the text as it comes; with --chat one a line'),
};

type GenerateFlags = FlagValues<typeof generateFlags>;

/** `dropbp generate`. */
export const generateCommand = command({
  name: 'generate',
  summary: 'Continues a text with a model, with or without an adapter, or talks with it.',
  flags: generateFlags,
  sections: { maxNewTokens: 'How to write', backend: 'Other' },
  examples: [
    'dropbp generate --adapter out/psalms/adapter --prompt "And it came to pass"',
    'dropbp generate --model HuggingFaceTB/SmolLM2-135M-Instruct --chat',
    'dropbp generate --model smollm2.gguf --weights int8 --prompt "The sea is" --temperature 0',
  ],
  async run(flags, _positionals, terminal) {
    checkFlags(flags);
    return withSubject(flags, terminal, async subject => {
      const template = flags.chat ? await templateOf(subject) : undefined;
      if (template === undefined) await hintAtChat(flags.adapter ?? subject.model.source, terminal);
      const prompt = flags.prompt === '-' ? await readAll(terminal.input ?? process.stdin) : flags.prompt;
      if (prompt !== undefined) return writeOnce(prompt, subject, template, flags, terminal);
      return chat(terminal, {
        writer: writer(subject, writingFlags(flags)),
        tokenizer: subject.tokenizer,
        template: template!,
        system: flags.system,
        isJson: flags.json,
        name: subject.model.source,
      });
    });
  },
});

async function hintAtChat(folder: string, terminal: Terminal): Promise<void> {
  if (!(await learnedFromChats(folder))) return;
  const hint = `${folder} learned from chats: --chat puts the text to it as a question, as it has learned them`;
  terminal.notes(styled`${paint('yellow', hint)}\n`);
}

function checkFlags({ prompt, chat, system, temperature, topK, topP }: GenerateFlags): void {
  const wrong =
    prompt === undefined && !chat
      ? 'there is nothing to continue; give --prompt, or --chat to talk'
      : system !== undefined && !chat
        ? '--system has no effect without --chat'
        : temperature === 0 && (topK !== undefined || topP !== undefined)
          ? '--top-k and --top-p have no effect with --temperature 0, which takes the most probable token'
          : undefined;
  if (wrong !== undefined) throw problem('cli', { what: wrong });
}

function writingFlags(flags: GenerateFlags): Parameters<typeof writer>[1] {
  return { ...flags, maxNewTokens: flags.maxNewTokens ?? (flags.chat ? 512 : 100) };
}

async function templateOf({ model, chatTemplate }: Subject): Promise<ChatTemplate> {
  const template = await chatTemplate();
  if (template !== undefined) return template;
  throw problem('cli', {
    what: `${model.source} has no chat template`,
    expected: 'a model that was trained to chat',
    fix: 'leave --chat out to continue a text',
  });
}

/** Writes one text, or one answer. */
async function writeOnce(
  prompt: string,
  opened: Subject,
  template: ChatTemplate | undefined,
  flags: GenerateFlags,
  terminal: Terminal,
): Promise<ExitCode | undefined> {
  const { json, system } = flags;
  const { tokenizer } = opened;
  const before = system === undefined ? [] : [{ role: 'system', content: system }];
  const ids =
    template === undefined
      ? encodePrompt(tokenizer, prompt)
      : tokenizer.encode(asChat([...before, { role: 'user', content: prompt }], template), { addSpecialTokens: false });
  const interruption = listenForInterruption(terminal, undefined);
  try {
    if (!json && template === undefined) terminal.outText(prompt, 'dim');
    const onPiece = (piece: string): void => (json ? undefined : terminal.outText(piece));
    const written = await writer(opened, writingFlags(flags)).write(ids, onPiece, interruption.signal);
    if (json) terminal.out(`${JSON.stringify({ prompt, ...written })}\n`);
    else {
      terminal.out('\n');
      const speed = `${formatCount(written.tokens)} tokens in ${formatSeconds(written.seconds)}`;
      terminal.notes(styled`${paint('dim', speed)}\n`);
    }
    return interruption.exitCode();
  } finally {
    interruption.release();
  }
}
