import { isObject, problem } from '@dropbp/basics';

/** A question with choices, as a model is asked it. */
export interface Question {
  /** What the model reads. */
  readonly context: string;
  /** What may follow, behind a space. */
  readonly choices: readonly string[];
  /** The right one. */
  readonly gold: number;
  readonly subject?: string;
}

/** A form in which benchmarks write their questions. */
export interface QuestionForm {
  readonly name: QuestionFormName;
  /** For people: what a row holds. */
  readonly columns: string;
  /** Whether choices differ in length, so that they are also compared by their probability per character. */
  readonly isNormed: boolean;
  fits(row: Row): boolean;
  /** @throws Error that says what is wrong with the row */
  read(row: Row): Question;
}

export type QuestionFormName = 'arc' | 'hellaswag' | 'piqa' | 'mmlu';

type Row = Readonly<Record<string, unknown>>;

// Prompts as lm-evaluation-harness 0.4 has them: lm_eval/tasks/{arc,hellaswag,piqa,mmlu/default}.

/** ARC: `question`, `choices` as `{ text, label }`, `answerKey`; or `question` as `{ stem, choices }`, as AI2 wrote it. */
const arc: QuestionForm = {
  name: 'arc',
  columns: 'question, choices.text, choices.label, answerKey',
  isNormed: true,
  fits: row => 'question' in row && 'answerKey' in row,
  read(row) {
    const { question, answerKey } = row;
    const isNested = isObject(question);
    const { texts, labels } = isNested ? nestedChoices(question.choices) : listedChoices(row.choices);
    const stem = textOf(isNested ? question.stem : question, 'question');
    return {
      context: `Question: ${stem}\nAnswer:`,
      choices: texts,
      gold: indexIn(labels.indexOf(String(answerKey)), texts, 'answerKey'),
    };
  },
};

/** HellaSwag: `activity_label`, `ctx_a`, `ctx_b`, `endings`, `label`. */
const hellaswag: QuestionForm = {
  name: 'hellaswag',
  columns: 'activity_label, ctx_a, ctx_b, endings, label',
  isNormed: true,
  fits: row => 'endings' in row && 'ctx_a' in row,
  read(row) {
    const choices = textsOf(row.endings, 'endings').map(withoutMarks);
    const context = `${textOf(row.ctx_a, 'ctx_a')} ${capitalized(textOf(row.ctx_b, 'ctx_b'))}`;
    return {
      context: withoutMarks(`${textOf(row.activity_label, 'activity_label')}: ${context}`),
      choices,
      gold: indexIn(row.label, choices, 'label'),
    };
  },
};

/** PIQA: `goal`, `sol1`, `sol2`, `label`. */
const piqa: QuestionForm = {
  name: 'piqa',
  columns: 'goal, sol1, sol2, label',
  isNormed: true,
  fits: row => 'goal' in row && 'sol1' in row && 'sol2' in row,
  read(row) {
    const choices = [textOf(row.sol1, 'sol1'), textOf(row.sol2, 'sol2')];
    return {
      context: `Question: ${textOf(row.goal, 'goal')}\nAnswer:`,
      choices,
      gold: indexIn(row.label, choices, 'label'),
    };
  },
};

/** MMLU: `question`, `choices` (four texts), `answer` (a number or a letter), and `subject`. */
const mmlu: QuestionForm = {
  name: 'mmlu',
  columns: 'question, choices, answer, subject',
  isNormed: false,
  fits: row => 'question' in row && 'choices' in row && 'answer' in row,
  read(row) {
    const texts = textsOf(row.choices, 'choices');
    const letters = ['A', 'B', 'C', 'D'];
    if (texts.length !== letters.length) throw new Error(`there are ${texts.length} choices, not four`);
    const subject = row.subject === undefined ? undefined : textOf(row.subject, 'subject');
    const about = subject === undefined ? '' : ` about ${subject.replaceAll('_', ' ')}`;
    const letter = letters.indexOf(String(row.answer));
    return {
      context: [
        `The following are multiple choice questions (with answers)${about}.\n`,
        textOf(row.question, 'question').trim(),
        ...texts.map((text, i) => `${letters[i]!}. ${text}`),
        'Answer:',
      ].join('\n'),
      choices: letters,
      gold: indexIn(letter === -1 ? row.answer : letter, letters, 'answer'),
      ...(subject !== undefined && { subject }),
    };
  },
};

/** In the order in which they are looked for. */
export const questionForms: readonly QuestionForm[] = [arc, hellaswag, piqa, mmlu];

/** A row as a question. @throws Problem with its place, for a row that does not have the form */
export function readQuestion(form: QuestionForm, { place, value }: { place: string; value: Row }): Question {
  try {
    return form.read(value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw problem('cli', { what: `${place}: ${why}`, expected: `a question of ${form.name}: ${form.columns}`, cause });
  }
}

function nestedChoices(value: unknown): { texts: string[]; labels: string[] } {
  if (!Array.isArray(value) || !value.every(isObject)) throw new Error('question.choices is no list');
  return { texts: value.map(({ text }) => textOf(text, 'text')), labels: value.map(({ label }) => String(label)) };
}

function listedChoices(value: unknown): { texts: string[]; labels: string[] } {
  if (!isObject(value)) throw new Error('choices holds no text and label');
  return { texts: textsOf(value.text, 'choices.text'), labels: textsOf(value.label, 'choices.label') };
}

/** Brackets are what WikiHow's markup left in HellaSwag. */
function withoutMarks(text: string): string {
  return text
    .trim()
    .replaceAll(' [title]', '. ')
    .replaceAll(/\[.*?\]/g, '')
    .replaceAll('  ', ' ');
}

/** As Python's `str.capitalize`: the first letter large, all others small. */
function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}

function indexIn(value: unknown, choices: readonly string[], name: string): number {
  const index = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof index === 'bigint' || typeof index === 'number') {
    const number = Number(index);
    if (Number.isInteger(number) && number >= 0 && number < choices.length) return number;
  }
  throw new Error(`${name} names none of the ${choices.length} choices`);
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new Error(`${name} is no text`);
}

function textsOf(value: unknown, name: string): string[] {
  if (Array.isArray(value) && value.length > 0 && value.every(item => typeof item === 'string')) return value;
  throw new Error(`${name} is no list of texts`);
}
