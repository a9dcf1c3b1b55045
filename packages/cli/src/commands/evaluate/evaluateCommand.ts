import { setImmediate } from 'node:timers/promises';
import { problem } from '@dropbp/basics';
import { readRows, type RawRow } from '@dropbp/data';
import { dataFlags } from '../../flags/tables/dataFlags.ts';
import { openData } from '../../data/openData.ts';
import { templateFor } from '../../data/templateFor.ts';
import { command } from '../../flags/command.ts';
import { flagName } from '../../flags/flagName.ts';
import { choice, number, positiveInteger, text, texts, toggle, type FlagValues } from '../../flags/flag.ts';
import { checkBatchSize } from '../../model/checkSizes.ts';
import { checkTime } from '../../model/checkTime.ts';
import { subjectFlags, type Subject } from '../../model/openSubject.ts';
import { backendFlag } from '../../flags/tables/modelFlags.ts';
import { withSubject } from '../../model/withSubject.ts';
import { formatCount } from '../../terminal/formatNumber.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { askQuestion, scoreQuestions, type Answered, type QuestionScores } from './askQuestions.ts';
import { measureTexts, type TextScores } from './measureTexts.ts';
import { questionForms, readQuestion, type QuestionForm } from './questionForms.ts';
import { learnedFrom } from '../../answers/learnedFrom.ts';
import { promptsOf, withLearnedTemplate } from '../../answers/promptSource.ts';
import { loadMetrics } from './loadMetrics.ts';
import { scoreAnswers } from './scoreAnswers.ts';
import { showAnswers, showQuestions, showTexts } from './showScores.ts';

const { data, fileType, format, columns, template, loss, skipBadRows } = dataFlags;

const evaluateFlags = {
  ...subjectFlags,
  data: { ...data, help: 'what to measure on: texts or chats as dropbp train takes them, or questions with choices' },
  form: choice(
    ['auto', 'perplexity', 'arc', 'hellaswag', 'piqa', 'mmlu'],
    'what the rows are; auto: questions where the columns are those of a benchmark',
    'auto',
  ),
  metric: texts('<name|file>', 'score written answers: exact-match, f1, json, or a module with a function'),
  out: text('<file>', 'with --metric: where rows go with their answers and scores, as JSON Lines'),
  maxNewTokens: {
    ...number(positiveInteger, 'with --metric: tokens of an answer at most'),
    defaultText: 'what the longest right answer needs and half as many more',
  },
  limit: { ...number(positiveInteger, 'rows at most'), defaultText: 'all' },
  ...{ fileType, format, columns, template, loss, skipBadRows },
  time: {
    ...number(positiveInteger, 'tokens in a sequence at most: longer texts begin anew'),
    defaultText: '512, or as many as the model can',
  },
  batch: number(positiveInteger, 'sequences at a time', 8),
  backend: backendFlag(),
  json: toggle('print the result as one JSON object'),
};

type EvaluateFlags = FlagValues<typeof evaluateFlags>;

/** `dropbp evaluate`. */
export const evaluateCommand = command({
  name: 'evaluate',
  summary: 'Measures perplexity on texts, or how often the right one of several choices is the most probable.',
  flags: evaluateFlags,
  sections: { fileType: 'Texts and chats', backend: 'Other' },
  examples: [
    'dropbp evaluate --adapter out/kjv/adapter --data notes.txt',
    'dropbp evaluate --model HuggingFaceTB/SmolLM2-135M --data arc_easy_test.parquet --limit 200',
  ],
  async run(flags, _positionals, terminal) {
    checkMetricFlags(flags);
    const metrics = await loadMetrics(flags.metric);
    const form = metrics.length > 0 ? undefined : await formOf(flags);
    if (form !== undefined) refuseIdle(flags, form);
    return withSubject(flags, terminal, async (subject, { backend, status }) => {
      const interruption = listenForInterruption(terminal, 'Stopping; the figures are those of what was done');
      try {
        const progress: Progress = async (what, done) => {
          status.show(what, formatCount(done));
          // Some backends never wait: Ctrl-C is heard here alone.
          await setImmediate();
          return !interruption.signal.aborted;
        };
        if (metrics.length > 0) {
          const { adapter, batch, maxNewTokens, out, limit = Infinity } = flags;
          const learned = adapter === undefined ? undefined : await learnedFrom(adapter);
          const prompts = promptsOf(await withLearnedTemplate(flags, learned, terminal));
          const onRows = (rows: number): Promise<boolean> => progress('Answering rows', rows);
          const { signal } = interruption;
          const scored = await scoreAnswers(subject, prompts, { metrics, batch, limit, maxNewTokens, out, signal, onRows }); // prettier-ignore
          status.clear();
          if (scored === undefined) {
            terminal.notes(`Stopped before a row was answered: there is nothing to score${out === undefined ? '' : `, and ${out} is not written`}.\n`); // prettier-ignore
            return interruption.exitCode();
          }
          const about = { form: 'answers', model: subject.model.source, adapter: adapter ?? null };
          if (flags.json) terminal.out(`${JSON.stringify({ ...about, backend, ...scored }, undefined, 2)}\n`);
          else terminal.out(showAnswers(scored));
          return interruption.exitCode();
        }
        const scores =
          form === undefined
            ? await onTexts(subject, flags, progress)
            : await onQuestions(subject, form, flags, progress);
        status.clear();
        const about = { form: form?.name ?? 'perplexity', model: subject.model.source, adapter: flags.adapter ?? null };
        if (flags.json) terminal.out(`${JSON.stringify({ ...about, backend, ...scores }, undefined, 2)}\n`);
        else terminal.out('perplexity' in scores ? showTexts(scores) : showQuestions(scores));
        return interruption.exitCode();
      } finally {
        interruption.release();
      }
    });
  },
});

/** @throws Problem for flags that do not go together */
function checkMetricFlags({ metric, out, maxNewTokens, form, time, skipBadRows }: EvaluateFlags): void {
  const hasMetric = metric.length > 0;
  const faults: readonly (readonly [isWrong: boolean, what: string])[] = [
    [!hasMetric && out !== undefined, '--out has no effect without --metric'],
    [!hasMetric && maxNewTokens !== undefined, '--max-new-tokens has no effect without --metric'],
    [hasMetric && form !== 'auto', '--form has no effect with --metric'],
    [hasMetric && time !== undefined, '--time has no effect with --metric'],
    [hasMetric && skipBadRows, '--skip-bad-rows has no effect with --metric'],
  ];
  const [, what] = faults.find(([isWrong]) => isWrong) ?? [];
  if (what !== undefined) throw problem('cli', { what, fix: 'leave it out' });
}

/** @throws Problem for a flag that says something of texts and chats alone */
function refuseIdle(flags: EvaluateFlags, { name }: QuestionForm): void {
  const given = [
    ...(flags.time === undefined ? [] : ['time']),
    ...(flags.columns === undefined ? [] : ['columns']),
    ...(flags.template === undefined ? [] : ['template']),
    ...(flags.skipBadRows ? ['skipBadRows'] : []),
  ];
  if (given.length === 0) return;
  throw problem('cli', {
    what: `${given.map(flagName).join(' and ')} would have no effect on questions of ${name}`,
    fix: 'leave it out, or measure texts with --form perplexity',
  });
}

/** The form of the questions; undefined where there are texts. */
async function formOf({ form, data, fileType }: EvaluateFlags): Promise<QuestionForm | undefined> {
  if (form === 'perplexity') return undefined;
  if (form !== 'auto') return questionForms.find(({ name }) => name === form);
  for await (const { value } of rowsOf({ data, fileType })) return questionForms.find(known => known.fits(value));
  throw noRow(data);
}

function noRow(data: readonly string[]): Error {
  return problem('cli', { what: `${data.join(', ')} holds no row`, fix: 'give a file with something in it' });
}

async function* rowsOf({ data, fileType }: Pick<EvaluateFlags, 'data' | 'fileType'>): AsyncGenerator<RawRow> {
  for (const file of data) yield* readRows(file, fileType === 'auto' ? {} : { fileType });
}

/** Hears how much is done. @returns whether to go on */
type Progress = (what: string, done: number) => Promise<boolean>;

async function onQuestions(
  subject: Subject,
  form: QuestionForm,
  flags: EvaluateFlags,
  progress: Progress,
): Promise<QuestionScores> {
  const answered: Answered[] = [];
  for await (const row of rowsOf(flags)) {
    answered.push(await askQuestion(subject, readQuestion(form, row)));
    const goesOn = await progress(`Asking questions of ${form.name}`, answered.length);
    if (!goesOn || answered.length === flags.limit) break;
  }
  if (answered.length === 0) throw noRow(flags.data);
  return scoreQuestions(answered, form);
}

async function onTexts(opened: Subject, flags: EvaluateFlags, progress: Progress): Promise<TextScores> {
  const { subject, tokenizer, room, model } = opened;
  checkTime(flags.time, room);
  const { time = Math.min(512, room), batch, loss } = flags;
  checkBatchSize({ batch, time }, model);
  const dataset = await openData(flags);
  return measureTexts(subject, dataset, {
    tokenizer,
    chatTemplate: templateFor(dataset, opened),
    ...{ time, loss, batch },
    limit: flags.limit ?? Infinity,
    onRow: rows => progress('Measuring rows', rows),
  });
}
