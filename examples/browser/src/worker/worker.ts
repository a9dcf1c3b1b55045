// Model and engine, in a thread of their own: the page stays free.
import { Problem } from '@dropbp/basics';
import type { Report, Request } from '../messages.ts';
import { chooseBackend } from './chooseBackend.ts';
import { loadBase, type Base } from './loadBase.ts';
import { measureSteps } from './measureSteps.ts';
import { startRun, type TrainingRun } from './trainingRun.ts';
import { writeText } from './writeText.ts';

let base: Base | undefined;
let run: TrainingRun | undefined;
let reports: ReturnType<TrainingRun['steps']> | undefined;
let isStopping = false;

const tell = (report: Report): void => postMessage(report);

const answers: { readonly [K in Request['kind']]: (request: Extract<Request, { kind: K }>) => Promise<void> | void } = {
  async load({ backend, threads }) {
    const chosen = await chooseBackend(backend, threads);
    base = await loadBase(share => tell({ kind: 'loading', share }));
    tell({ kind: 'loaded', ...chosen });
  },
  async train({ text, settings }) {
    const { model, tokenizer } = loadedBase();
    const next = startRun(model, tokenizer, text, settings);
    await reports?.return();
    run?.tuned.dispose();
    run = next;
    reports = run.steps();
    tell({ kind: 'started', trainTokens: run.trainTokens, trainable: run.tuned.trainableCount });
    await follow();
  },
  stop() {
    isStopping = true;
  },
  goOn: () => follow(),
  async sample({ prompt, maxNewTokens, stage }) {
    const { model, tokenizer } = loadedBase();
    const subject = stage === 'before' || run === undefined ? model : run.tuned;
    let text = prompt;
    for await (const more of writeText(subject, tokenizer, prompt, maxNewTokens)) {
      text += more;
      tell({ kind: 'sample', stage, text, isDone: false });
    }
    tell({ kind: 'sample', stage, text, isDone: true });
  },
  async adapter() {
    if (run === undefined) throw new Error('There is no adapter yet: train first.');
    tell({ kind: 'adapter', files: await run.tuned.toFiles() });
  },
  async measure({ text, steps }) {
    tell({ kind: 'measured', ...(await measureSteps(loadedBase(), text, steps)) });
  },
};

/** Trains until the steps are done, or somebody says stop: then it can go on. */
async function follow(): Promise<void> {
  if (!reports) throw new Error('There is nothing to go on with: train first.');
  const wasStopped = (): boolean => isStopping;
  for (;;) {
    const { value, done } = await reports.next();
    if (done === true) break;
    tell({ kind: 'step', ...value });
    if (wasStopped()) {
      tell({ kind: 'stopped' });
      return;
    }
  }
  tell({ kind: 'finished' });
}

function loadedBase(): Base {
  if (!base) throw new Error('The model is not loaded yet.');
  return base;
}

/** Requests wait for each other, but for the one to stop. */
let last: Promise<void> = Promise.resolve();

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  const answer = answers[data.kind] as (request: Request) => Promise<void> | void;
  if (data.kind === 'train' || data.kind === 'goOn') isStopping = false;
  if (data.kind === 'stop') void answer(data);
  else
    last = last.then(() => answer(data)).catch((error: unknown) => tell({ kind: 'failed', message: messageOf(error) }));
});

function messageOf(error: unknown): string {
  if (error instanceof Problem) return error.message.replace(/^\[@dropbp\/[\w-]+\] /, '');
  return error instanceof Error ? error.message : String(error);
}
