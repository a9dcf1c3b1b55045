import { Problem, problem } from '@dropbp/basics';
import { encodePrompt, type ChatMessage, type ChatTemplate, type PromptRow, type Tokenizer } from '@dropbp/data';
import { asChat } from '../data/defaultPrompt.ts';
import { plainMessage } from '../flags/plainMessage.ts';

/** How what a row asks becomes tokens. */
export interface AskEncoding {
  readonly tokenizer: Tokenizer;
  /** Tokens that prompt and answer may have together. */
  readonly room: number;
  /** Writes conversations; undefined where the model has none. */
  readonly template: ChatTemplate | undefined;
  /** Whether prompts are put as questions of a conversation. */
  readonly isChat: boolean;
  /** What each conversation begins with that does not say it itself. */
  readonly system: string | undefined;
}

/** Tokens of what a row asks. @throws Problem with its place, where a model cannot be asked it */
export function encodeAsk({ place, ask }: PromptRow, encoding: AskEncoding): number[] {
  const { tokenizer, room, template, isChat, system } = encoding;
  const fault = (what: string, expected: string, fix: string): Error =>
    problem('cli', { what: `${place}: ${what}`, expected, fix });
  let ids: number[];
  if (ask.kind === 'chat' || isChat) {
    if (template === undefined) {
      throw fault('this is a conversation, and the model has no chat template', 'a model that was trained to chat', 'give rows of prompts'); // prettier-ignore
    }
    const { messages, tools } = ask.kind === 'chat' ? ask : asQuestion(ask.prompt);
    const before = system === undefined || messages[0]?.role === 'system' ? [] : [{ role: 'system', content: system }];
    try {
      const text = asChat([...before, ...messages], template, tools);
      ids = tokenizer.encode(text, { addSpecialTokens: false });
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      throw problem('cli', { what: `${place}: ${plainMessage(cause).replace(/\.$/, '')}`, cause });
    }
  } else {
    if (system !== undefined) throw fault('this is not a conversation, which --system could begin', 'messages', 'give --chat to put prompts as questions'); // prettier-ignore
    ids = encodePrompt(tokenizer, ask.prompt);
  }
  if (ids.length === 0) throw fault('the prompt is empty', 'a text to go on from', 'mend the row');
  if (ids.length < room) return ids;
  throw fault(`the prompt has ${ids.length} tokens`, `at most ${room - 1}, the positions of the model`, 'shorten it');
}

function asQuestion(prompt: string): { messages: readonly ChatMessage[]; tools?: undefined } {
  return { messages: [{ role: 'user', content: prompt }] };
}
