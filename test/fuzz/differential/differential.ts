// Gives damaged and mutated files to us and to Python's tokenizers, jinja2 (as transformers sets it up), pyarrow, safetensors and
// PEFT, and compares what they accept and what comes of it:
//
//     npx tsx test/fuzz/differential/differential.ts [subject…] [--runs 5000] [--seconds 120] [--seed 1] [--run 4711] [--results <file>] [--keep]
//
// A finding is an input that we accept and Python refuses, one of which other values come, and one that Python accepts and we
// refuse for a reason that is not listed in stricter.ts. Findings are made smaller and kept in test/.cache/fuzz, with --keep in
// test/fuzz/corpus/differential. It needs the Python of test/parity.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machine } from '../../../bench/machine.ts';
import { damagedInput } from '../damage.ts';
import { minimise } from '../minimise.ts';
import { compareAnswers, oursOf, type Comparison } from './compare.ts';
import { keepComparison } from './kept.ts';
import { startPython } from './python.ts';
import { differentialSubjects, type Subject } from './subjects.ts';

const { values, positionals } = parseArgs({
  options: {
    ...{ runs: { type: 'string' }, seed: { type: 'string' }, run: { type: 'string' }, seconds: { type: 'string' } },
    ...{ results: { type: 'string' }, keep: { type: 'boolean' } },
  },
  allowPositionals: true,
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const all = await differentialSubjects();
const unknown = positionals.filter(name => !all.some(subject => subject.name === name));
if (unknown.length > 0) throw new Error(`no such subject: ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`); // prettier-ignore
const chosen = all.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const python = startPython();
const rows: object[] = [];
let isGood = true;
for (const name of ['info', 'warn', 'error'] as const) console[name] = () => undefined;

console.log(`seed ${seed}`);
for (const subject of chosen) isGood = (await compareAll(subject)) && isGood;
python.end();
if (values.results !== undefined) {
  const command = `npx tsx test/fuzz/differential/differential.ts ${process.argv
    .slice(2)
    .join(' ')
    .replace(/ *--results \S+/, '')}`;
  writeFileSync(values.results, `${JSON.stringify({ command, ...machine(), rows }, undefined, 2)}\n`);
}
process.exitCode = isGood ? 0 : 1;

async function compareAll(subject: Subject): Promise<boolean> {
  const runs = Math.ceil(Number(values.runs ?? 5_000) / chosen.length);
  const [first, count] = values.run === undefined ? [0, runs] : [Number(values.run), 1];
  const mostMs = (Number(values.seconds ?? Infinity) * 1000) / chosen.length;
  const startedMs = performance.now();
  const counts = { equal: 0, refused: 0, stricter: 0, undecided: 0, finding: 0 };
  const found = new Map<string, { run: number; text: string }>();
  let run = first;
  for (; run < first + count && performance.now() - startedMs < mostMs; run++) {
    const { outcome, signature = '', text = '' } = await compare(subject, damagedInput(subject, seed, run));
    counts[outcome]++;
    if (outcome === 'finding' && !found.has(signature)) found.set(signature, { run, text });
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${subject.name}: ${run - first} inputs in ${seconds.toFixed(0)} s: ${counts.equal} equal, ${counts.refused} refused by both, ` +
      `${counts.stricter} by us alone, ${counts.undecided} undecided, ${counts.finding} findings of ${found.size} kinds`,
  );
  rows.push({ subject: subject.name, inputs: run - first, ...counts });
  for (const [signature, { run: at, text }] of found) {
    const isSame = async (input: Uint8Array): Promise<boolean> => (await compare(subject, input)).signature === signature; // prettier-ignore
    const smaller = await minimise(damagedInput(subject, seed, at), isSame, 150);
    const { text: told = text } = await compare(subject, smaller);
    console.log(`  --seed ${seed} --run ${at}: ${told}`);
    const question = subject.question(smaller);
    if (question === undefined) continue;
    const answer = await python.ask(question);
    console.log(`  kept as ${keepComparison(subject.name, signature, { input: smaller, python: answer, isFinal: values.keep === true })}`); // prettier-ignore
  }
  return found.size === 0;
}

async function compare(subject: Subject, input: Uint8Array): Promise<Comparison> {
  const question = subject.question(input);
  if (question === undefined) return { outcome: 'undecided' };
  const ours = await oursOf(subject, input);
  return compareAnswers(subject, ours, 'fault' in ours ? {} : await python.ask(question));
}
