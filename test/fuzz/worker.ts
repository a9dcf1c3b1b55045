import { damagedInput } from './damage.ts';
import { judge, type FuzzTarget, type Verdict } from './target.ts';
import { fuzzTargets } from './targets.ts';

// The process in which targets run, so that one that hangs can be ended. It is asked for one input at a time.

/** An input: that of a run, or a given one. */
export type Question =
  | { readonly target: string; readonly seed: number; readonly run: number }
  | { readonly target: string; readonly input: string };

export type Answer = Verdict & { readonly rssBytes: number };

const targets = new Map<string, FuzzTarget>((await fuzzTargets()).map(target => [target.name, target]));
// A console may carry what a file says; nothing of it is for whoever looks at this run.
for (const name of ['log', 'info', 'warn', 'error'] as const) console[name] = () => undefined;

process.on('message', (question: Question) => {
  const target = targets.get(question.target)!;
  const input =
    'input' in question
      ? new Uint8Array(Buffer.from(question.input, 'base64'))
      : damagedInput(target, question.seed, question.run);
  void judge(target, input).then(verdict => process.send!({ ...verdict, rssBytes: process.memoryUsage.rss() }));
});
process.once('disconnect', () => process.exit());
process.send!('ready');
