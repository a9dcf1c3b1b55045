import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import {
  loadChatTemplate,
  openDataset,
  readText,
  splitHeldOut,
  textBatches,
  tokenizeRows,
  trainingBatches,
  type Tokenizer,
} from '@dropbp/data';
import { generateBatch } from '@dropbp/models';
import { backwardsQuestion, recordQuestion, shopConversation, type Question } from './generated.ts';
import type { RunPlan, TaskName } from './runPlan.ts';

/** What a run learns, and what it is measured on. */
export interface Task {
  /** Batches to train on, without end or as many as the run takes, in an order that follows from its seed. */
  readonly train: Iterable<Batch> | AsyncIterable<Batch>;
  /** Batches to measure on: the same for every seed. */
  readonly heldOut: Iterable<Batch> | AsyncIterable<Batch>;
  /** Questions of which the share of right answers is measured. @defaultValue none */
  readonly questions?: readonly Question[];
}

type MakeTask = (plan: RunPlan, tokenizer: Tokenizer, data: string) => Task | Promise<Task>;

/** Rows of generated tasks to train on, and the first seed of those that are held out. */
const [ROWS, HELD_OUT_SEED] = [4096, 1_000_000];
/** Tokens of a generated prompt at most. */
const PROMPT_TOKENS = 330;
/** Label of a token that does not count, as in transformers. */
const IGNORED = -100;

/** What runs learn, by the name that a plan gives. */
export const tasks: Readonly<Record<TaskName, MakeTask>> = {
  /** A running text, every token of which counts. */
  text: (plan, tokenizer, data) => textTask(plan, tokenizer, data, 0),
  /** Windows of a text, of which the last quarter counts. */
  bible: (plan, tokenizer, data) => textTask(plan, tokenizer, data, 0.75),
  /** Windows of a text, of which the second half counts. */
  half: (plan, tokenizer, data) => textTask(plan, tokenizer, data, 0.5),
  /** Facts about people, each behind the name of its field, and a question about one. */
  records: (plan, tokenizer) => questionTask(plan, tokenizer, recordQuestion),
  /** The same, but each fact stands in front of the name of its field: an order that models do not know. */
  backwards: (plan, tokenizer) => questionTask(plan, tokenizer, backwardsQuestion),
  /** Conversations that all begin with the same long instructions. */
  chats: chatTask,
};

async function textTask(plan: RunPlan, tokenizer: Tokenizer, data: string, promptShare: number): Promise<Task> {
  const { steps, batch, time, accumulation, seed, heldOutRows } = plan;
  const tokens = Int32Array.from(tokenizer.encode(await readText(data)));
  // Windows all over the text, the same for every seed.
  const every = Math.max(2, Math.floor(tokens.length / time / heldOutRows));
  const parts = splitHeldOut(tokens, { seqLen: time, every });
  const perBatch = Math.min(batch, heldOutRows);
  const rest = { seqLen: time, seed: 0, steps: Math.floor(heldOutRows / perBatch) };
  const prompt = Math.round(promptShare * time);
  return {
    train: withPrompts(
      textBatches(parts.train, { batchSize: batch, seqLen: time, seed, steps: steps * accumulation }),
      prompt,
    ),
    heldOut: withPrompts(textBatches(parts.heldOut, { batchSize: perBatch, ...rest }), prompt),
  };
}

/** The same batches with no labels on the first tokens of each row. They can be iterated again. */
function withPrompts(batches: Iterable<Batch>, prompt: number): Iterable<Batch> {
  if (prompt === 0) return batches;
  return {
    *[Symbol.iterator]() {
      for (const { labels, ...others } of batches) {
        const [rows, time] = labels.shape as [number, number];
        const answers = tf.tidy(() =>
          tf.concat(
            [tf.fill([rows, prompt], IGNORED, 'int32'), tf.slice(labels, [0, prompt], [rows, time - prompt])],
            1,
          ),
        );
        // Labels may be the very tensor of the tokens.
        if (labels !== others.inputIds) labels.dispose();
        yield { ...others, labels: answers };
      }
    },
  };
}

async function questionTask(
  plan: RunPlan,
  tokenizer: Tokenizer,
  make: (seed: number, people: number) => Question,
): Promise<Task> {
  const lengthWith = (people: number): number => tokenizer.encode(make(1, people).prompt).length;
  let people = 12;
  while (people > 2 && lengthWith(people) > PROMPT_TOKENS) people--;
  const rowsFrom = (first: number, count: number): { prompt: string; completion: string }[] =>
    Array.from({ length: count }, (_, i) => make(first + i, people)).map(({ prompt, answer }) => ({ prompt, completion: answer })); // prettier-ignore
  const { heldOutRows } = plan;
  return {
    ...(await rowTask(plan, tokenizer, rowsFrom(0, ROWS), rowsFrom(HELD_OUT_SEED, heldOutRows))),
    questions: Array.from({ length: heldOutRows }, (_, i) => make(HELD_OUT_SEED + i, people)),
  };
}

const chatTemplate = `{% for m in messages %}{{ m.role + ': ' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}`;

function chatTask(plan: RunPlan, tokenizer: Tokenizer): Promise<Task> {
  const rowsFrom = (first: number, count: number): object[] =>
    Array.from({ length: count }, (_, i) => {
      const { system, turns } = shopConversation(first + i);
      const asked = turns.flatMap(({ question, answer }) => [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ]);
      return { messages: [{ role: 'system', content: system }, ...asked] };
    });
  return rowTask(plan, tokenizer, rowsFrom(0, ROWS), rowsFrom(HELD_OUT_SEED, plan.heldOutRows));
}

async function rowTask(
  { batch, seed, time }: RunPlan,
  tokenizer: Tokenizer,
  train: readonly object[],
  heldOut: readonly object[],
): Promise<Task> {
  const template = await loadChatTemplate({ template: chatTemplate });
  const batchesOf = async (rows: readonly object[], options: object): Promise<AsyncIterable<Batch>> => {
    const dataset = await openDataset(rows);
    const tokenized = tokenizeRows(dataset, {
      ...{ tokenizer, seqLen: time },
      ...(dataset.format.name === 'chat' && { chatTemplate: template }),
    });
    return trainingBatches(tokenized, { batchSize: batch, ...options });
  };
  return {
    train: await batchesOf(train, { seed }),
    heldOut: await batchesOf(heldOut, { shuffle: false, epochs: 1 }),
  };
}

/** Share of questions whose answer begins with the right one, written greedily. */
export async function rightAnswers(
  tuned: Tuned,
  tokenizer: Tokenizer,
  questions: readonly Question[],
): Promise<number> {
  let right = 0;
  for (let from = 0; from < questions.length; from += 8) {
    const asked = questions.slice(from, from + 8);
    const answers = asked.map(({ answer }) => tokenizer.encode(answer).length);
    const written: number[][] = asked.map(() => []);
    const options = { maxNewTokens: Math.max(...answers), seed: seededRandom(0)() };
    const texts = asked.map(({ prompt }) => tokenizer.encode(prompt));
    for await (const tokens of generateBatch(tuned, texts, options)) {
      tokens.forEach((token, i) => token !== undefined && written[i]!.push(token));
    }
    right += asked.filter(({ answer }, i) => tokenizer.decode(written[i]!).trim().startsWith(answer.trim())).length;
  }
  return right / questions.length;
}
