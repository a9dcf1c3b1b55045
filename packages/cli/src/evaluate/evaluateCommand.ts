import { problem } from '@dropbp/basics';
import { loadChatTemplate, readRows, type RawRow } from '@dropbp/data';
import { dataFlags } from '../data/dataFlags.ts';
import { openData } from '../data/openData.ts';
import { command } from '../flags/command.ts';
import { choice, number, positiveInteger, toggle, type FlagValues } from '../flags/flag.ts';
import { fieldLines } from '../inspect/fieldLines.ts';
import { openSubject, subjectFlags, type Subject } from '../run/openSubject.ts';
import { sequenceTime } from '../run/runSettings.ts';
import { backendFlag, startBackend } from '../run/startBackend.ts';
import { formatCount } from '../terminal/formatNumber.ts';
import { statusLine, type StatusLine } from '../terminal/statusLine.ts';
import { table } from '../terminal/table.ts';
import { askQuestion, scoreQuestions, type Accuracy, type Answered, type QuestionScores } from './askQuestions.ts';
import { measureTexts, type TextScores } from './measureTexts.ts';
import { questionForms, readQuestion, type QuestionForm } from './questionForms.ts';

const { data, fileType, format, columns, loss, skipBadRows } = dataFlags;

const evaluateFlags = {
  ...subjectFlags,
  data: { ...data, help: 'what to measure on: texts or chats as dropbp train takes them, or questions with choices' },
  form: choice(
    ['auto', 'perplexity', 'arc', 'hellaswag', 'piqa', 'mmlu'],
    'what the rows are; auto: questions where the columns are those of a benchmark',
    'auto',
  ),
  limit: { ...number(positiveInteger, 'rows at most'), defaultText: 'all' },
  ...{ fileType, format, columns, loss, skipBadRows },
  time: {
    ...number(positiveInteger, 'tokens in a sequence at most, for perplexity'),
    defaultText: '128 for texts, 512 else, or as many as the model can',
  },
  batch: number(positiveInteger, 'sequences at a time, for perplexity', 8),
  backend: backendFlag(),
  json: toggle('print the result as one JSON object'),
};

/** `dropbp evaluate`. */
export const evaluateCommand = command({
  name: 'evaluate',
  summary: 'Measures perplexity on texts, or how often the right one of several choices is the most probable.',
  flags: evaluateFlags,
  sections: { fileType: 'Texts', backend: 'Other' },
  examples: [
    'dropbp evaluate --adapter out/kjv/adapter --data notes.txt',
    'dropbp evaluate --model HuggingFaceTB/SmolLM2-135M --data arc_easy_test.jsonl --limit 200',
  ],
  async run(flags, _positionals, terminal) {
    const form = await formOf(flags);
    await startBackend(flags.backend, terminal);
    const status = statusLine(terminal);
    const opened = await openSubject(flags, status);
    try {
      const scores =
        form === undefined ? await onTexts(opened, flags, status) : await onQuestions(opened, form, flags, status);
      status.clear();
      const result = { form: form?.name ?? 'perplexity', ...scores };
      if (flags.json) terminal.out(`${JSON.stringify(result, undefined, 2)}\n`);
      else
        terminal.out(
          'perplexity' in scores
            ? showTexts(scores, terminal.outHasColor)
            : showQuestions(scores, terminal.outHasColor),
        );
    } finally {
      opened.dispose();
    }
  },
});

type EvaluateFlags = FlagValues<typeof evaluateFlags>;

/** The form of the questions; undefined where there are texts. */
async function formOf({ form, data, fileType }: EvaluateFlags): Promise<QuestionForm | undefined> {
  if (form === 'perplexity') return undefined;
  if (form !== 'auto') return questionForms.find(({ name }) => name === form);
  for await (const { value } of rowsOf({ data, fileType })) return questionForms.find(known => known.fits(value));
  throw problem('cli', { what: `${data.join(', ')} holds no row` });
}

async function* rowsOf({ data, fileType }: Pick<EvaluateFlags, 'data' | 'fileType'>): AsyncGenerator<RawRow> {
  for (const file of data) yield* readRows(file, fileType === 'auto' ? {} : { fileType });
}

async function onQuestions(
  { subject, tokenizer }: Subject,
  form: QuestionForm,
  flags: EvaluateFlags,
  status: StatusLine,
): Promise<QuestionScores> {
  const answered: Answered[] = [];
  for await (const row of rowsOf(flags)) {
    answered.push(await askQuestion(subject, tokenizer, readQuestion(form, row)));
    status.show(`Asking questions of ${form.name}`, formatCount(answered.length));
    if (answered.length === flags.limit) break;
  }
  return scoreQuestions(answered, form);
}

async function onTexts(
  { subject, model, tokenizer, folder }: Subject,
  flags: EvaluateFlags,
  status: StatusLine,
): Promise<TextScores> {
  const dataset = await openData(flags);
  const isChat = dataset.format.name === 'chat';
  return measureTexts(subject, dataset, {
    tokenizer,
    chatTemplate: isChat ? await loadChatTemplate(folder) : undefined,
    time: sequenceTime(flags, model, dataset.format.name),
    loss: flags.loss,
    batch: flags.batch,
    limit: flags.limit ?? Infinity,
    onRow: rows => status.show('Measuring', `${formatCount(rows)} rows`),
  });
}

function showTexts({ rows, tokens, loss, perplexity }: TextScores, hasColor: boolean): string {
  return fieldLines(
    [
      ['perplexity', perplexity.toPrecision(5)],
      ['loss', `${loss.toFixed(4)} nats a token`],
      ['on', `${formatCount(tokens)} tokens of ${formatCount(rows)} rows`],
    ],
    hasColor,
  );
}

function showQuestions({ questions, acc, accNorm, subjects = {} }: QuestionScores, hasColor: boolean): string {
  const bySubject = Object.entries(subjects).map(([name, score]) => [
    name,
    formatCount(score.questions),
    percent(score.acc),
  ]);
  const whole = fieldLines(
    [
      ['acc', sure(acc)],
      ['acc_norm', accNorm && sure(accNorm)],
      ['on', `${formatCount(questions)} questions`],
    ],
    hasColor,
  );
  if (bySubject.length < 2) return whole;
  return `${whole}\n${table({ header: ['subject', 'questions', 'acc'], rows: bySubject, hasColor })}`;
}

function sure({ value, standardError }: Accuracy): string {
  return `${percent(value)} ± ${(100 * standardError).toFixed(1)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
