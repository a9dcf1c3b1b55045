import { fieldLines } from '../inspect/fieldLines.ts';
import { formatCount } from '../terminal/formatNumber.ts';
import { table } from '../terminal/table.ts';
import type { Accuracy, QuestionScores } from './askQuestions.ts';
import type { TextScores } from './measureTexts.ts';

/** Perplexity, for people. */
export function showTexts({ rows, tokens, loss, perplexity }: TextScores, hasColor: boolean): string {
  return fieldLines(
    [
      ['perplexity', perplexity.toPrecision(5)],
      ['loss', `${loss.toFixed(4)} nats a token`],
      ['on', `${formatCount(tokens)} tokens of ${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`],
    ],
    hasColor,
  );
}

/** Accuracies, for people; by subject where there are several. */
export function showQuestions({ questions, acc, accNorm, subjects = {} }: QuestionScores, hasColor: boolean): string {
  const whole = fieldLines(
    [
      ['acc', withError(acc)],
      ['acc_norm', accNorm && withError(accNorm)],
      ['on', `${formatCount(questions)} ${questions === 1 ? 'question' : 'questions'}`],
    ],
    hasColor,
  );
  const bySubject = Object.entries(subjects).map(([name, score]) => [
    name,
    formatCount(score.questions),
    percent(score.acc),
  ]);
  if (bySubject.length < 2) return whole;
  return `${whole}\n${table({ header: ['subject', 'questions', 'acc'], rows: bySubject, hasColor })}`;
}

function withError({ value, standardError }: Accuracy): string {
  return `${percent(value)} ± ${(100 * standardError).toFixed(1)} (standard error)`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
