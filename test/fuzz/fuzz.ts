// Gives damaged and mutated files to everything that reads files of users:
//
//     npx tsx test/fuzz/fuzz.ts [target…] [--runs 20000] [--seconds 120] [--seed 1] [--run 4711] [--results <file>] [--keep]
//
// `--runs` is how many inputs all targets get together, `--seconds` when it stops at the latest. An input is a finding where it
// ends in anything but success or a message for people, or passes its budget of time or memory (target.ts). Findings are made
// smaller and kept in test/.cache/fuzz, with --keep in test/fuzz/corpus, which every test run reads. An input can be had again by the seed and its number: `--seed 1 --run 4711`.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine } from '../../bench/machine.ts';
import { corpusOf, keepInput } from './corpus.ts';
import { damagedInput } from './damage.ts';
import { minimise } from './minimise.ts';
import { signatureOf, type FuzzTarget } from './target.ts';
import { fuzzTargets } from './targets.ts';
import { watchWorker } from './watch.ts';

const { values, positionals } = parseArgs({
  options: {
    ...{ runs: { type: 'string' }, seed: { type: 'string' }, run: { type: 'string' }, seconds: { type: 'string' } },
    ...{ results: { type: 'string' }, keep: { type: 'boolean' } },
  },
  allowPositionals: true,
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const all = await fuzzTargets();
const unknown = positionals.filter(name => !all.some(target => target.name === name));
if (unknown.length > 0) {
  throw new Error(`no such target: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
}
const chosen = all.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const shares = chosen.reduce((sum, { share = 1 }) => sum + share, 0);
const worker = watchWorker();
const rows: object[] = [];
let isGood = true;

console.log(`seed ${seed}`);
const endMs = performance.now() + Number(values.seconds ?? Infinity) * 1000;
for (const [i, target] of chosen.entries()) {
  const share = (target.share ?? 1) / shares;
  const runs = Math.ceil(Number(values.runs ?? 20_000) * share);
  const [first, count] = values.run === undefined ? [0, runs] : [Number(values.run), 1];
  // One that takes less time for an input than others leaves them what is left of its own.
  isGood = (await fuzz(target, first, count, (endMs - performance.now()) / (chosen.length - i))) && isGood;
}
worker.end();
if (values.results !== undefined) {
  const command = `npx tsx test/fuzz/fuzz.ts ${process.argv
    .slice(2)
    .join(' ')
    .replace(/ *--results \S+/, '')}`;
  writeFileSync(values.results, `${JSON.stringify({ command, ...machine(), rows }, undefined, 2)}\n`);
}
process.exitCode = isGood ? 0 : 1;

/** @returns whether nothing was found */
async function fuzz(target: FuzzTarget, first: number, count: number, mostMs: number): Promise<boolean> {
  const { name } = target;
  const startedMs = performance.now();
  const counts = { accepted: 0, refused: 0, fault: 0 };
  const found = new Map<string, { run: number; fault: string }>();
  let [slowestMs, mostBytes] = [0, 0];
  let run = first;
  for (const input of [...corpusOf(name).values()]) {
    const { fault } = await worker.ask({ target: name, input: Buffer.from(input).toString('base64') });
    if (fault !== undefined) found.set(signatureOf(fault), { run: -1, fault });
  }
  for (; run < first + count && performance.now() - startedMs < mostMs; run++) {
    const { outcome, fault, cpuMs, rssBytes } = await worker.ask({ target: name, seed, run });
    counts[outcome]++;
    slowestMs = Math.max(slowestMs, cpuMs);
    mostBytes = Math.max(mostBytes, rssBytes);
    if (fault !== undefined && !found.has(signatureOf(fault))) found.set(signatureOf(fault), { run, fault });
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${name}: ${run - first} inputs in ${seconds.toFixed(0)} s: ${counts.accepted} accepted, ${counts.refused} refused, ` +
      `${counts.fault} findings of ${found.size} kinds; slowest ${slowestMs.toFixed(0)} ms, memory up to ${(mostBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  rows.push({ target: name, inputs: run - first, ...counts, slowestMs: Math.round(slowestMs), memoryMiB: Math.round(mostBytes / 2 ** 20) }); // prettier-ignore
  for (const [signature, { run: at, fault }] of found) {
    console.log(
      `  ${at < 0 ? 'kept input' : `--seed ${seed} --run ${at}`}: ${fault.split('\n').slice(0, 8).join('\n  ')}`,
    );
    if (at >= 0) console.log(`  kept as ${await keepSmaller(target, signature, at)}`);
  }
  return found.size === 0;
}

async function keepSmaller(target: FuzzTarget, signature: string, run: number): Promise<string> {
  const isDear = /^(time|memory|the process ended)/.test(signature);
  const isSame = async (input: Uint8Array): Promise<boolean> => {
    const { fault } = await worker.ask({ target: target.name, input: Buffer.from(input).toString('base64') });
    return fault !== undefined && signatureOf(fault) === signature;
  };
  const input = damagedInput(target, seed, run);
  return keepInput(target.name, signature, await minimise(input, isSame, isDear ? 3 : 400), values.keep === true);
}
