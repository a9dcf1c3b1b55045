import type { ChatTemplate } from '@dropbp/data';

type Role = 'system' | 'user' | 'assistant';
type Messages = readonly { readonly role: Role; readonly content: string }[];

/** A way to write conversations in which each message stands between two fixed texts, by its role. */
export interface LinearFormat {
  /** In front of everything. */
  readonly start: string;
  /** In place of a system message where there is none. */
  readonly withoutSystem: string;
  readonly before: Readonly<Record<Role, string>>;
  readonly behind: Readonly<Record<Role, string>>;
  /** What an answer begins behind. */
  readonly answer: string;
}

/** Words that no template writes itself, and that none trims or changes. */
const words = { system: 'sysWord', user: 'userWord', assistant: 'answerWord', next: 'nextWord' };

const system = { role: 'system', content: words.system } as const;
const user = { role: 'user', content: words.user } as const;
const assistant = { role: 'assistant', content: words.assistant } as const;
const next = { role: 'user', content: words.next } as const;

/**
 * Finds out by trial whether a chat template writes conversations linearly, and with which texts.
 *
 * @param start - what may stand in front of everything: what the tokenizer puts in front of a text
 * @returns undefined where it does something else, such as refusing roles or treating the last message in another way
 */
export function findLinearFormat(template: ChatTemplate, start: string): LinearFormat | undefined {
  const render = (messages: Messages, addGenerationPrompt: boolean): string =>
    template.render(messages, { addGenerationPrompt });
  try {
    const format = guessFormat(render, start);
    return format !== undefined && probes.every(probe => isSame(format, render, probe)) ? format : undefined;
  } catch {
    // A template that raises an exception for a conversation has rules that fixed texts do not have.
    return undefined;
  }
}

type Render = (messages: Messages, addGenerationPrompt: boolean) => string;

function guessFormat(render: Render, start: string): LinearFormat | undefined {
  const whole = cut(render([system, user, assistant, next], true), Object.values(words));
  const alone = cut(render([user], false), [words.user]);
  const answered = cut(render([user, assistant], false), [words.user, words.assistant]);
  if (whole === undefined || alone === undefined || answered === undefined) return undefined;
  const [first, behindSystem, behindUser, behindAnswer, end] = whole as [string, string, string, string, string];
  const behind = { user: alone[1]!, assistant: answered[2]! };
  const before = { user: after(behindAnswer, behind.assistant), assistant: after(behindUser, behind.user) };
  const answer = after(end, behind.user);
  if (before.user === undefined || before.assistant === undefined || answer === undefined) return undefined;
  if (!behindSystem.endsWith(before.user) || !alone[0]!.endsWith(before.user)) return undefined;
  const own = first.startsWith(start) ? start : '';
  if (!alone[0]!.startsWith(own)) return undefined;
  const withoutSystem = alone[0]!.slice(own.length, alone[0]!.length - before.user.length);
  return {
    start: own,
    withoutSystem,
    before: { user: before.user, assistant: before.assistant, system: first.slice(own.length) },
    behind: { ...behind, system: behindSystem.slice(0, behindSystem.length - before.user.length) },
    answer,
  };
}

/** The parts of a text around words that each stand in it once, in this order. */
function cut(text: string, marks: readonly string[]): string[] | undefined {
  const parts: string[] = [];
  let rest = text;
  for (const mark of marks) {
    const [part, ...others] = rest.split(mark);
    if (others.length !== 1) return undefined;
    parts.push(part!);
    rest = others[0]!;
  }
  return [...parts, rest];
}

function after(text: string, start: string): string | undefined {
  return text.startsWith(start) ? text.slice(start.length) : undefined;
}

const probes: readonly Messages[] = [
  [user],
  [system, user],
  [user, assistant, next],
  [system, user, assistant, next, assistant, user],
];

function isSame(format: LinearFormat, render: Render, messages: Messages): boolean {
  const { start, withoutSystem, before, behind, answer } = format;
  const hasSystem = messages.some(({ role }) => role === 'system');
  const body = messages.map(({ role, content }) => before[role] + content + behind[role]).join('');
  const text = start + (hasSystem ? '' : withoutSystem) + body;
  return render(messages, false) === text && render(messages, true) === text + answer;
}
