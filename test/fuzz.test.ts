import { describe, expect, it } from 'vitest';
import { corpusOf } from './fuzz/corpus.ts';
import { damagedInput } from './fuzz/damage.ts';
import { compareAnswers, oursOf } from './fuzz/differential/compare.ts';
import { keptComparisons } from './fuzz/differential/kept.ts';
import { differentialSubjects } from './fuzz/differential/subjects.ts';
import { outcomeOf } from './fuzz/target.ts';
import { fuzzTargets } from './fuzz/targets.ts';

// A few inputs of each kind, and all that once were findings. The section `reliability` of .ci/run gives each target many more, by
// test/fuzz/fuzz.ts. A process for each input takes too long here.
const targets = (await fuzzTargets()).filter(({ share = 1 }) => share >= 0.01);
describe.each(targets)('damaged $name', target => {
  const { name, share = 1, inputs } = target;
  it('is accepted, or refused with a message', async () => {
    const outcomes = { accepted: 0, refused: 0 };
    const runs = Math.ceil(8 * share);
    for (let run = 0; run < runs; run++) outcomes[await outcomeOf(target, damagedInput(target, 0, run))]++;
    expect(outcomes.accepted + outcomes.refused).toBe(runs);
    for (const input of inputs.slice(0, Math.ceil(4 * share))) expect(await outcomeOf(target, input)).toBe('accepted');
  });
  const kept = [...corpusOf(name)];
  it.runIf(kept.length > 0)('is so for every kept input', async () => {
    for (const [file, input] of kept) await expect(outcomeOf(target, input), file).resolves.toBeDefined();
  });
});

// What Python's libraries made of them was kept beside them.
describe.each(await differentialSubjects())('$name', subject => {
  const kept = [...keptComparisons(subject.name)];
  it.runIf(kept.length > 0)('takes kept inputs as Python does', async () => {
    for (const [file, { input, python }] of kept) {
      const ours = await oursOf(subject, new Uint8Array(Buffer.from(input, 'base64')));
      expect(compareAnswers(subject, ours, python).text, file).toBeUndefined();
    }
  });
});
