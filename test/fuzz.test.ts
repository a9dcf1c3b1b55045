import { describe, expect, it } from 'vitest';
import { damagedInput } from './fuzz/damage.ts';
import { outcomeOf } from './fuzz/target.ts';
import { fuzzTargets } from './fuzz/targets.ts';

// A few inputs of each kind; test/fuzz/fuzz.ts runs as many as one likes.
describe.each(await fuzzTargets())('damaged $name', target => {
  it('is accepted, or refused with a message', async () => {
    const outcomes = { accepted: 0, refused: 0 };
    for (let run = 0; run < 40; run++) outcomes[await outcomeOf(target, damagedInput(target, 0, run))]++;
    expect(outcomes.refused).toBeGreaterThan(0);
    for (const input of target.inputs) expect(await outcomeOf(target, input)).toBe('accepted');
  });
});
