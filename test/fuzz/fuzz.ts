// Gives damaged files to everything that reads files of users: `npx tsx test/fuzz/fuzz.ts [target…] [--runs 20000]
// [--seed 1]`. Fails where an input ends in anything but success or a message for people, takes longer than 20 s, or
// memory grows beyond 2 GiB. A run can be had again by its number: `--run 4711`.
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { damagedInput } from './damage.ts';
import { outcomeOf, type FuzzTarget } from './target.ts';
import { fuzzTargets } from './targets.ts';

const LONGEST_MS = 20_000;
const MOST_BYTES = 2 * 2 ** 30;

interface Job {
  readonly target: string;
  readonly seed: number;
  readonly first: number;
  readonly runs: number;
}

interface Result {
  readonly accepted: number;
  readonly refused: number;
  readonly failures: readonly { readonly run: number; readonly error: string }[];
  readonly slowestMs: number;
  readonly mostBytes: number;
}

if (process.send === undefined) await main();
else process.once('message', job => void work(job as Job).then(result => process.send!(result, () => process.exit())));

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { runs: { type: 'string' }, seed: { type: 'string' }, run: { type: 'string' } },
    allowPositionals: true,
  });
  const seed = Number(values.seed ?? 1);
  const [first, runs] = values.run === undefined ? [0, Number(values.runs ?? 20_000)] : [Number(values.run), 1];
  const all = (await fuzzTargets()).map(({ name }) => name);
  const unknown = positionals.filter(name => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no such target: ${unknown.join(', ')}; there are ${all.join(', ')}`);
  let isGood = true;
  for (const target of positionals.length > 0 ? positionals : all) {
    const startedMs = performance.now();
    const result = await watched({ target, seed, first, runs });
    const { accepted, refused, failures, slowestMs, mostBytes } = result;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    console.log(
      `${target}: ${runs} inputs in ${seconds} s: ${accepted} accepted, ${refused} refused, ${failures.length} failures; ` +
        `slowest ${slowestMs.toFixed(0)} ms, memory up to ${(mostBytes / 2 ** 20).toFixed(0)} MiB`,
    );
    for (const { run, error } of failures.slice(0, 10)) console.log(`  run ${run} (--seed ${seed}): ${error}`);
    for (const { run } of failures) await keep(target, seed, run);
    isGood &&= failures.length === 0 && mostBytes < MOST_BYTES;
  }
  process.exitCode = isGood ? 0 : 1;
}

/** Runs a job in a process of its own, which is ended where one run does not end. It sends the number of each run. */
function watched(job: Job): Promise<Result> {
  return new Promise(resolve => {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: ['--import', 'tsx'] });
    let run = job.first;
    const failed = (error: string): void => {
      clearTimeout(watch);
      child.kill('SIGKILL');
      resolve({ accepted: 0, refused: 0, failures: [{ run, error }], slowestMs: LONGEST_MS, mostBytes: 0 });
    };
    const late = (): void => failed(`no end within ${LONGEST_MS / 1000} s`);
    let watch = setTimeout(late, 10 * LONGEST_MS); // it has to start first
    child.on('message', (message: number | Result) => {
      clearTimeout(watch);
      if (typeof message === 'number') {
        run = message;
        watch = setTimeout(late, LONGEST_MS);
      } else resolve(message);
    });
    child.once('exit', code => {
      if (code !== 0) failed(`the process ended with ${code ?? 'a signal'}`);
    });
    child.send(job);
  });
}

async function work({ target: name, seed, first, runs }: Job): Promise<Result> {
  const target = await targetNamed(name);
  const counts = { accepted: 0, refused: 0 };
  const failures: { run: number; error: string }[] = [];
  let slowestMs = 0;
  let mostBytes = 0;
  for (let run = first; run < first + runs; run++) {
    process.send!(run);
    const startedMs = performance.now();
    try {
      counts[await outcomeOf(target, damagedInput(target, seed, run))]++;
    } catch (error) {
      failures.push({ run, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    if (run % 100 === 0) mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
  }
  return { ...counts, failures, slowestMs, mostBytes };
}

async function targetNamed(name: string): Promise<FuzzTarget> {
  return (await fuzzTargets()).find(target => target.name === name)!;
}

async function keep(target: string, seed: number, run: number): Promise<void> {
  const folder = fileURLToPath(new URL('../.cache/fuzz/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${target}-${seed}-${run}`, damagedInput(await targetNamed(target), seed, run));
}
