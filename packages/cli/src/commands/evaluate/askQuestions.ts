import { logLikelihoods } from '@dropbp/train';
import type { Subject } from '../../model/openSubject.ts';
import { choiceTokens } from './choiceTokens.ts';
import type { Question, QuestionForm } from './questionForms.ts';

/** What was asked, and how it was answered. */
export interface Answered {
  readonly question: Question;
  /** Of each choice: the logarithm of its probability. */
  readonly scores: readonly number[];
}

/** A share of right answers, and how sure it is. */
export interface Accuracy {
  readonly value: number;
  /** Standard error of the mean. */
  readonly standardError: number;
}

/** The figures of a benchmark, as lm-evaluation-harness counts them. */
export interface QuestionScores {
  readonly questions: number;
  /** How often the right choice is the most probable. */
  readonly acc: Accuracy;
  /** How often it is the most probable per character; absent where choices are letters. */
  readonly accNorm?: Accuracy;
  /** By subject, where questions have one. */
  readonly subjects?: Readonly<Record<string, { readonly questions: number; readonly acc: number }>>;
}

/** Asks a model for the probability of each choice. */
export async function askQuestion(
  { subject, tokenizer, room }: Pick<Subject, 'subject' | 'tokenizer' | 'room'>,
  question: Question,
): Promise<Answered> {
  const { context, choices } = question;
  // The last token is predicted and needs no position.
  const sequences = choices.map(choice => choiceTokens(tokenizer, { context, continuation: ` ${choice}` }, room + 1));
  return { question, scores: await logLikelihoods(subject, sequences) };
}

/** Counts right answers. */
export function scoreQuestions(
  answered: readonly Answered[],
  { isNormed }: Pick<QuestionForm, 'isNormed'>,
): QuestionScores {
  const isRight = answered.map(({ question, scores }) => largest(scores) === question.gold);
  const isRightByLength = answered.map(({ question: { choices, gold }, scores }) => {
    return largest(scores.map((score, i) => score / Array.from(choices[i]!).length)) === gold;
  });
  const subjects = bySubject(answered, isRight);
  return {
    questions: answered.length,
    acc: accuracy(isRight),
    ...(isNormed && { accNorm: accuracy(isRightByLength) }),
    ...(subjects && { subjects }),
  };
}

function bySubject(answered: readonly Answered[], isRight: readonly boolean[]): QuestionScores['subjects'] {
  const counts = new Map<string, { questions: number; right: number }>();
  answered.forEach(({ question: { subject } }, i) => {
    if (subject === undefined) return;
    const { questions, right } = counts.get(subject) ?? { questions: 0, right: 0 };
    counts.set(subject, { questions: questions + 1, right: right + Number(isRight[i]!) });
  });
  if (counts.size === 0) return undefined;
  const shares = [...counts].map(
    ([name, { questions, right }]) => [name, { questions, acc: right / questions }] as const,
  );
  return Object.fromEntries(shares);
}

function accuracy(isRight: readonly boolean[]): Accuracy {
  const count = isRight.length;
  const value = isRight.filter(Boolean).length / count;
  // The sample's deviation over √n.
  return { value, standardError: count > 1 ? Math.sqrt((value * (1 - value)) / (count - 1)) : 0 };
}

/** The first of the largest. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
