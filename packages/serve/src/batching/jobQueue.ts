import { setTimeout as sleep } from 'node:timers/promises';
import { turn } from '@dropbp/basics';
import type { Subject } from '@dropbp/core';
import { ApiError } from '../http/apiError.ts';
import { runBatch } from './runBatch.ts';
import type { QueuedText, TextJob } from './textJob.ts';
import { tokenChannel, type TokenReader } from './tokenChannel.ts';

interface QueuedTask {
  readonly task: () => Promise<void>;
}

/** What computes, one thing after the other; texts that wait at the same time run as one batch. */
export interface JobQueue {
  /** Texts and tasks that have not ended. */
  readonly length: number;
  /**
   * Goes on with texts of one request, in the order in which they came. What reads one may leave at any time.
   *
   * @throws ApiError where too many wait
   */
  addTexts(jobs: readonly TextJob[]): TokenReader[];
  /** Runs something else on the model. @throws ApiError where too many wait */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Breaks all texts off, with an error for who reads them. */
  breakOff(error: unknown): void;
  /** Resolves once nothing is left. */
  idle(): Promise<void>;
}

/** Limits of a {@link JobQueue}. */
export interface QueueLimits {
  /** Texts of a batch. */
  readonly batch: number;
  /** Texts and tasks that may wait. */
  readonly queue: number;
}

/** Milliseconds for which the first of a batch waits for company. */
const GATHER_MS = 5;

/** @param subject - what runs all rows: the model, or what `compose()` made of it */
export function jobQueue(subject: Subject, limits: QueueLimits): JobQueue {
  const waiting: (QueuedText | QueuedTask)[] = [];
  /** Texts that wait or run. */
  const open = new Set<QueuedText>();
  let running = 0;
  let loop: Promise<void> | undefined;

  const start = (): void => {
    loop ??= work().finally(() => {
      loop = undefined;
      if (waiting.length > 0) start();
    });
  };
  async function work(): Promise<void> {
    await sleep(GATHER_MS);
    while (waiting.length > 0) {
      const batch = takeBatch(waiting, limits.batch);
      running = batch.length;
      const join = (texts: readonly QueuedText[]): QueuedText[] => takeMore(waiting, texts, limits.batch);
      if (batch.length > 0) await runBatch(subject, batch, join);
      else await (waiting.shift() as QueuedTask).task();
      running = 0;
      // Answers are sent, and requests read, before the next batch begins.
      await turn();
    }
  }
  const makeRoom = (count: number): void => {
    if (waiting.length + count <= limits.queue) return;
    throw new ApiError({
      ...{ status: 429, type: 'rate_limit_error', code: 'too_many_requests', retryAfter: 1 },
      what: 'too many requests wait',
      got: waiting.length,
      expected: `at most ${limits.queue}`,
      fix: 'try again later',
    });
  };
  return {
    get length() {
      return waiting.length + running;
    },
    addTexts(jobs) {
      makeRoom(jobs.length);
      const texts = jobs.map(job => enqueueText(job, waiting, open));
      start();
      return texts.map(({ channel }) => channel);
    },
    run(task) {
      makeRoom(1);
      return new Promise((resolve, reject) => {
        waiting.push({ task: () => task().then(resolve, reject) });
        start();
      });
    },
    breakOff(error) {
      for (const { channel } of open) channel.fail(error);
    },
    async idle() {
      while (loop !== undefined) await loop;
    },
  };
}

function enqueueText(job: TextJob, waiting: (QueuedText | QueuedTask)[], open: Set<QueuedText>): QueuedText {
  const ended = new AbortController();
  // Listeners go with the request: a signal that outlives it would keep them all.
  const leave = (): void => channel.leave();
  const channel = tokenChannel(hasLeft => {
    job.signal.removeEventListener('abort', leave);
    open.delete(queued);
    if (hasLeft) remove(waiting, [queued]);
    ended.abort();
  });
  const queued: QueuedText = { ...job, channel, options: { ...job.options, signal: ended.signal } };
  waiting.push(queued);
  open.add(queued);
  if (job.signal.aborted) leave();
  else job.signal.addEventListener('abort', leave, { once: true });
  return queued;
}

/** Takes the texts that can run together with the first that waits; none where that is a task. */
function takeBatch(waiting: (QueuedText | QueuedTask)[], most: number): QueuedText[] {
  const [first] = waiting;
  if (first === undefined || 'task' in first) return [];
  const batch = waiting.filter((job): job is QueuedText => fits(job, first)).slice(0, most);
  remove(waiting, batch);
  return batch;
}

/** Takes the texts that can join others: from the front alone, so that what fits none waits no longer for it. */
function takeMore(waiting: (QueuedText | QueuedTask)[], running: readonly QueuedText[], most: number): QueuedText[] {
  const other = waiting.findIndex(job => !fits(job, running[0]!));
  const front = waiting.slice(0, other === -1 ? waiting.length : other) as QueuedText[];
  const more = front.slice(0, Math.max(0, most - running.length));
  remove(waiting, more);
  return more;
}

function fits(job: QueuedText | QueuedTask, { model }: QueuedText): boolean {
  return !('task' in job) && (job.model === model || (job.model.canShare && model.canShare));
}

function remove(waiting: (QueuedText | QueuedTask)[], taken: readonly QueuedText[]): void {
  const rest = waiting.filter(job => !taken.includes(job as QueuedText));
  waiting.splice(0, waiting.length, ...rest);
}
