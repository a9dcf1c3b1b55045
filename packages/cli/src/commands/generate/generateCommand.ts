import { text as readAll } from 'node:stream/consumers';
import { problem } from '@dropbp/basics';
import { encodePrompt, turnEnds, type ChatTemplate } from '@dropbp/data';
import { learnedFrom, type Learned } from '../../answers/learnedFrom.ts';
import { filledPrompt, templateAsFlag, withLearnedTemplate } from '../../answers/promptSource.ts';
import { dataFlags } from '../../flags/tables/dataFlags.ts';
import { asChat } from '../../data/defaultPrompt.ts';
import { command } from '../../flags/command.ts';
import type { ExitCode, Terminal } from '../../terminal/terminal.ts';
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
} from '../../flags/flag.ts';

import { subjectFlags, type Subject } from '../../model/openSubject.ts';
import { backendFlag } from '../../flags/tables/modelFlags.ts';
import { withSubject } from '../../model/withSubject.ts';
import { formatCount, formatSeconds } from '../../terminal/formatNumber.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { paint, styled } from '../../terminal/paint.ts';
import { flagName } from '../../flags/flagName.ts';
import { chat } from './chat.ts';
import { generateRows } from './generateRows.ts';
import { writer } from '../../answers/writer.ts';

const { fileType, format, columns, template } = dataFlags;

const generateFlags = {
  ...subjectFlags,
  prompt: text('<text>', 'the text to continue; - reads it from standard input'),
  data: texts('<file>', 'rows to answer: chats, or prompts; several files, one --data each'),
  chat: toggle('ask by the chat template: in the terminal, a --prompt, or each line of standard input'),
  conversation: toggle('with --chat: the lines of standard input are one conversation'),
  system: text('<text>', 'with --chat: what the conversation begins with'),
  ...{ fileType, format, columns, template: { ...template, help: `${template.help}; with --data` } },
  out: text('<file>', 'where the rows go with their answers, as JSON Lines; without it, to standard output'),
  answerColumn: text('<name>', 'the column of the answers', 'answer'),
  batch: number(positiveInteger, 'rows that are answered together', 8),
  resume: toggle('go on with an --out that an earlier command left unfinished'),
  overwrite: toggle('replace what is in --out'),
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
  sections: { fileType: 'Rows of files', maxNewTokens: 'How to write', backend: 'Other' },
  examples: [
    'dropbp generate --adapter out/psalms/adapter --prompt "And it came to pass"',
    'dropbp generate --model HuggingFaceTB/SmolLM2-135M-Instruct --chat',
    'dropbp generate --adapter out/chats/adapter --data questions.jsonl --out answers.jsonl --temperature 0',
    'dropbp generate --model smollm2.gguf --weights int8 --prompt "The sea is" --temperature 0',
  ],
  async run(flags, _positionals, terminal) {
    checkFlags(flags);
    const folder = flags.adapter ?? flags.model;
    const learned = folder === undefined ? undefined : await learnedFrom(folder);
    return withSubject(flags, terminal, async (subject, surroundings) => {
      if (flags.data.length > 0) {
        const asked = await withLearnedTemplate(flags, learned, terminal);
        return generateRows(subject, asked, surroundings, terminal);
      }
      const template = flags.chat ? templateOf(subject) : undefined;
      hint(flags, learned, terminal);
      const given = flags.prompt === '-' ? await readAll(terminal.input ?? process.stdin) : flags.prompt;
      const opened = { ...subject, endTokens: [...subject.endTokens, ...turnEnds(template, subject.tokenizer)] };
      if (given !== undefined) {
        const prompt = flags.template === undefined ? given : filledPrompt(flags.template, given);
        return writeOnce(prompt, opened, template, flags, terminal);
      }
      return chat(terminal, {
        writer: writer(opened, writingFlags(flags)),
        tokenizer: subject.tokenizer,
        template: template!,
        system: flags.system,
        isJson: flags.json,
        isConversation: flags.conversation,
        name: subject.model.source,
      });
    });
  },
});

/** Says how an adapter or a model has learned to be asked, where it is asked in another way. */
function hint(
  { adapter, model, chat, template }: GenerateFlags,
  learned: Learned | undefined,
  terminal: Terminal,
): void {
  const said = (text: string): void =>
    terminal.notes(styled`${paint('yellow', `${adapter ?? model!} learned ${text}`)}\n`);
  if (learned?.isFromChats === true && !chat) {
    said('from chats: --chat puts the text to it as a question, as it has learned them');
  } else if (learned?.template !== undefined && template === undefined) {
    said(`from prompts of a template: ${templateAsFlag(learned.template)} fills a --prompt or rows of --data into it`);
  }
}

function checkFlags(flags: GenerateFlags): void {
  const { prompt, chat, system, temperature, topK, topP, data, conversation, template } = flags;
  const hasRows = data.length > 0;
  const hasPrompt = prompt !== undefined;
  const idle = hasRows ? [] : onlyWithData.filter(name => flags[name] !== generateFlags[name].fallback);
  const ofFile = flags.out !== undefined ? [] : onlyWithOut.filter(name => flags[name]);
  const hasDraws = topK !== undefined || topP !== undefined;
  const faults: readonly (readonly [isWrong: boolean, what: string])[] = [
    [!hasPrompt && !chat && !hasRows, 'there is nothing to continue; give --prompt, --data, or --chat to talk'],
    [hasPrompt && hasRows, '--prompt and --data both say what to continue; give one of them'],
    [idle.length > 0, `${idle.map(flagName).join(' and ')} would have no effect without --data`],
    [hasRows && ofFile.length > 0, `${ofFile.map(flagName).join(' and ')} would have no effect without --out`],
    [template !== undefined && !hasRows && !hasPrompt, '--template needs --data or a --prompt to make prompts of'],
    [conversation && (!chat || hasPrompt || hasRows), '--conversation is for the lines of standard input, with --chat'],
    [system !== undefined && !chat && !hasRows, '--system has no effect without --chat'],
    [flags.resume && flags.overwrite, '--overwrite and --resume say different things; give one of them'],
    [
      temperature === 0 && hasDraws,
      '--top-k and --top-p have no effect with --temperature 0, which takes the most probable token',
    ],
  ];
  const [, what] = faults.find(([isWrong]) => isWrong) ?? [];
  if (what !== undefined) throw problem('cli', { what });
}

const onlyWithData = ['fileType', 'format', 'columns', 'out', 'answerColumn', 'batch', 'resume', 'overwrite'] as const;

const onlyWithOut = ['resume', 'overwrite', 'json'] as const;

function writingFlags(flags: GenerateFlags): Parameters<typeof writer>[1] {
  return { ...flags, maxNewTokens: flags.maxNewTokens ?? (flags.chat ? 512 : 100) };
}

function templateOf({ model, chatTemplate }: Subject): ChatTemplate {
  if (chatTemplate !== undefined) return chatTemplate;
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
