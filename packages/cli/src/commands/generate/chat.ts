import { Problem } from '@dropbp/basics';
import type { ChatMessage, ChatTemplate, Tokenizer } from '@dropbp/data';
import type { ExitCode, Terminal } from '../../terminal/terminal.ts';
import { plainMessage } from '../../flags/plainMessage.ts';
import { lineReader } from '../../terminal/lineReader.ts';
import { paint, styled } from '../../terminal/paint.ts';
import type { Writer } from '../../answers/writer.ts';

/** What {@link chat} takes. */
export interface ChatOptions {
  readonly writer: Writer;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** What the conversation begins with, before all questions. */
  readonly system: string | undefined;
  /** Whether each answer is printed as a line of JSON. */
  readonly isJson: boolean;
  /** Whether each question follows the ones before. Where nobody types, it follows none unless this is asked for. */
  readonly isConversation: boolean;
  /** Of whom the answers are, for the first line. */
  readonly name: string;
}

const help = '/reset forgets the conversation, /exit or Ctrl-D ends it, Ctrl-C stops an answer';

/**
 * Talks with whoever types, or answers the lines of a file, until they end. Lines of a file are questions of their own, unless
 * they are said to be a conversation.
 *
 * @returns 2 where a question of its own could not be answered
 */
export async function chat(terminal: Terminal, options: ChatOptions): Promise<ExitCode> {
  const { input = process.stdin } = terminal;
  const isScreen = terminal.isInteractive && (input as { isTTY?: boolean }).isTTY === true && !options.isJson;
  const note = (text: string): void => terminal.notes(styled`${paint('dim', text)}\n`);
  if (isScreen) note(`Talking with ${options.name}. ${help}`);
  const prompt = paint('bold', '› ');
  const reader = lineReader(input, isScreen ? { hasColor: terminal.notesHaveColor, prompt } : undefined);
  const interrupts = chatInterrupts(terminal, reader, () => note('Ctrl-C again ends, and so does /exit'));
  const first: ChatMessage[] = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  let messages = [...first];
  let isMissing = false;
  const isTyped = (input as { isTTY?: boolean }).isTTY === true;
  const isConversation = isTyped || options.isConversation;
  try {
    for (;;) {
      interrupts.beforeQuestion();
      const line = await Promise.race([reader.read(), interrupts.ended]);
      if (line === undefined) break;
      const question = line.trim();
      if (question === '/exit') break;
      if (question === '/reset') messages = [...first];
      else if (question === '/help') note(help);
      else if (isConversation && question.startsWith('/')) note(`There is no ${question.split(' ')[0]!}: ${help}`);
      else if (question !== '') {
        const answered = await answer(
          [...messages, { role: 'user', content: question }],
          first.length,
          options,
          terminal,
          {
            note,
            signal: interrupts.beforeAnswer(),
          },
        );
        isMissing ||= answered.at(-1)?.role !== 'assistant';
        messages = isConversation ? answered : [...first];
      }
    }
  } finally {
    interrupts.release();
    reader.close();
  }
  return isMissing && !isConversation && interrupts.exitCode() === 0 ? 2 : interrupts.exitCode();
}

/** Answers the last message. @returns the conversation; without the question if it could not be answered */
async function answer(
  messages: readonly ChatMessage[],
  kept: number,
  { writer, tokenizer, template, isJson }: ChatOptions,
  terminal: Terminal,
  { note, signal }: { readonly note: (text: string) => void; readonly signal: AbortSignal },
): Promise<ChatMessage[]> {
  const encode = (some: readonly ChatMessage[]): number[] =>
    tokenizer.encode(template.render(some, { addGenerationPrompt: true }), { addSpecialTokens: false });
  try {
    let asked = [...messages];
    let ids = encode(asked);
    // An answer shall have a quarter of the room; the oldest question and answer go first.
    while (ids.length > 0.75 * writer.room && asked.length > kept + 2) {
      asked = [...asked.slice(0, kept), ...asked.slice(kept + 2)];
      ids = encode(asked);
    }
    if (asked.length < messages.length) note('The beginning of the conversation has no room any more');
    const written = await writer.write(ids, piece => (isJson ? undefined : terminal.outText(piece)), signal);
    if (isJson) {
      terminal.out(`${JSON.stringify({ prompt: messages.at(-1)!.content, ...written })}\n`);
    } else {
      terminal.out('\n');
      if (written.ended === 'length') note('(cut off: --max-new-tokens allows more)');
      if (written.ended === 'interrupt') note('(stopped)');
    }
    return [...asked, { role: 'assistant', content: written.text }];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    terminal.notes(styled`${paint('red', plainMessage(error))}\n`);
    if (isJson) terminal.out(`${JSON.stringify({ prompt: messages.at(-1)!.content, error: plainMessage(error) })}\n`);
    return messages.slice(0, -1);
  }
}

/** Ctrl-C in a conversation: it stops an answer; twice at a question, or without a screen, it ends all. */
function chatInterrupts(
  terminal: Terminal,
  reader: Pick<ReturnType<typeof lineReader>, 'onInterrupt' | 'close'>,
  warn: () => void,
) {
  // prettier-ignore
  let answering: AbortController | undefined;
  let hasWarned = false;
  let code: ExitCode = 0;
  let end = (): void => undefined;
  const ended = new Promise<undefined>(resolve => (end = () => resolve(undefined)));
  const stop = (status: ExitCode): void => {
    code = status;
    answering?.abort();
    reader.close();
    end();
  };
  const releases = [
    reader.onInterrupt(() => {
      if (answering !== undefined) answering.abort();
      else if (hasWarned) stop(130);
      else warn();
      hasWarned = answering === undefined;
    }),
    terminal.onInterrupt(signal => stop(signal === 'SIGINT' ? 130 : 143)),
  ];
  return {
    ended,
    beforeQuestion: () => void (answering = undefined),
    beforeAnswer(): AbortSignal {
      hasWarned = false;
      answering = new AbortController();
      return answering.signal;
    },
    exitCode: () => code,
    release: () => releases.forEach(release => release()), // prettier-ignore
  };
}
