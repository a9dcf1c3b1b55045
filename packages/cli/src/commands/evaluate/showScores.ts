import { fieldLines } from '../inspect/fieldLines.ts';
import { formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { styledTable } from '../../terminal/table.ts';
import type { Accuracy, QuestionScores } from './askQuestions.ts';
import type { AnswerScores } from './scoreAnswers.ts';
import type { TextScores } from './measureTexts.ts';

/** Perplexity, for people. */
export function showTexts({ rows, tokens, loss, perplexity }: TextScores): Styled {
  return fieldLines([
    ['perplexity', perplexity.toPrecision(5)],
    ['loss', `${loss.toFixed(4)} nats a token`],
    ['on', `${formatCount(tokens)} tokens of ${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`],
  ]);
}

/** Accuracies, for people; by subject where there are several. */
export function showQuestions({ questions, acc, accNorm, subjects = {} }: QuestionScores): Styled {
  const whole = fieldLines([
    ['acc', withError(acc)],
    ['acc_norm', accNorm && withError(accNorm)],
    ['on', `${formatCount(questions)} ${questions === 1 ? 'question' : 'questions'}`],
  ]);
  const bySubject = Object.entries(subjects).map(([name, score]) => [
    name,
    formatCount(score.questions),
    percent(score.acc),
  ]);
  if (bySubject.length < 2) return whole;
  return [whole, '\n', styledTable({ header: ['subject', 'questions', 'acc'], rows: bySubject })];
}

/** Metrics of written answers, for people. */
export function showAnswers({ rows, cutOff, metrics }: AnswerScores): Styled {
  return fieldLines([
    ...Object.entries(metrics).map(([name, value]): [string, string] => [name, String(Number(value.toPrecision(5)))]),
    ['on', `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`],
    ['cut off', cutOff === 0 ? undefined : `${formatCount(cutOff)}: --max-new-tokens allows more`],
  ]);
}

function withError({ value, standardError }: Accuracy): string {
  return `${percent(value)} ± ${(100 * standardError).toFixed(1)} (standard error)`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
