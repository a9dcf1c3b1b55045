import { Problem } from '@dropbp/basics';
import { problemText } from '../rows/formats/problemText.ts';
import { RowFault } from '../rows/rowFault.ts';
import type { ChatMessage, ChatSample } from '../rows/formats/sample.ts';
import type { ChatTemplate, MarkedText, RenderOptions, TextSpan } from './chatTemplate.ts';

/** Which parts of a conversation count: all answers of the assistant, the last one, or everything. */
export type CountedAnswers = 'answers' | 'lastAnswer' | 'all';

const ASSISTANT = 'assistant';

/**
 * A conversation as its template writes it, with the answers that count.
 *
 * Where the template marks answers (`{% generation %}`), they are those that it marks. Where it does not, an answer is what
 * comes between the conversation up to it, with the prompt for an answer, and the conversation up to and with it; both must
 * begin the whole, or the answer cannot be told from what surrounds it.
 *
 * @throws RowFault where the template refuses the conversation, or answers cannot be found in what it writes
 */
export function answerSpans(
  template: ChatTemplate,
  sample: ChatSample,
  counted: CountedAnswers,
  variables: RenderOptions['variables'] = {},
): MarkedText {
  const { messages, tools = [] } = sample;
  const options = { tools, variables };
  const answers = messages.flatMap(({ role }, i) => (role === ASSISTANT ? [i] : []));
  const wanted = (counted === 'lastAnswer' ? answers.slice(-1) : answers).filter(i => messages[i]!.weight !== 0);
  if (counted === 'all') {
    const text = attempt(() => template.render(messages, options));
    return { text, spans: [{ start: 0, end: text.length }] };
  }
  if (!template.marksAnswers) return byPrefixes(template, messages, options, wanted);
  const marked = attempt(() => template.renderMarked(messages, options));
  if (wanted.length === answers.length) return marked;
  if (marked.spans.length !== answers.length) {
    throw new RowFault({
      what: 'the chat template does not mark every answer, so that some of them cannot be left out',
      got: `${marked.spans.length} marks, ${answers.length} answers`,
      fix: "train on all of them: no weight: 0, and loss: 'answers'",
    });
  }
  return { text: marked.text, spans: wanted.map(i => marked.spans[answers.indexOf(i)]!) };
}

function byPrefixes(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions,
  wanted: readonly number[],
): MarkedText {
  const render = (count: number, addGenerationPrompt: boolean): string =>
    attempt(() => template.render(messages.slice(0, count), { ...options, addGenerationPrompt }));
  const text = render(messages.length, false);
  const spans = wanted.map((i): TextSpan => {
    const before = render(i, true);
    const whole = i === messages.length - 1 ? text : render(i + 1, false);
    if (text.startsWith(before) && text.startsWith(whole) && before.length <= whole.length) {
      return { start: before.length, end: whole.length };
    }
    throw unstable(i, text, text.startsWith(before) ? whole : before);
  });
  return { text, spans: spans.filter(({ start, end }) => end > start) };
}

function unstable(message: number, text: string, other: string): RowFault {
  let at = 0;
  while (at < other.length && text[at] === other[at]) at++;
  return new RowFault({
    what: `the chat template writes a conversation otherwise once it goes on, so that answer ${message + 1} cannot be found in it`,
    got: { up_to_it: other.slice(at, at + 40), in_the_whole: text.slice(at, at + 40) },
    fix: "count the last answer alone (loss: 'lastAnswer') or everything (loss: 'all'), or give a template with {% generation %}",
  });
}

/** What a template cannot write is the row's fault: whoever knows its place says so. */
function attempt<T>(render: () => T): T {
  try {
    return render();
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new RowFault({ what: problemText(cause), cause });
  }
}
