import { describe, expect, it } from 'vitest';
import { fakeRun } from '../../test/fakeRun.ts';
import type { RunRecord } from '../record/runRecord.ts';
import { renderText } from '../terminal/paint.ts';
import { comparisonTable } from './comparisonTable.ts';
import { renderReport } from './renderReport.ts';
import { definitionPage, stepWorth } from './stepWorth.ts';

const costs = { dropped: 0.5, why: 'as --rate says', saved: 0.2, savedAtHalf: 0.2, trainsMost: false };

/** A run of as many steps as its last loss has, which take a second each without drops. */
function runWith(heldOut: readonly (readonly [step: number, loss: number])[], dropped: number): RunRecord {
  const steps = heldOut.at(-1)![0];
  const [step] = fakeRun().steps;
  return fakeRun({
    costs,
    name: dropped === 0 ? `whole ${steps}` : `dropped ${dropped}`,
    steps: Array.from({ length: steps }, (_, i) => ({ ...step!, step: i + 1, dropped })),
    trainSeconds: steps * (1 - dropped / 2),
    heldOut: heldOut.map(([step, loss]) => ({ step, loss })),
  });
}

// A loss of 5 − ln(n).
const curve = [1, 25, 50, 100].map(n => [n, 5 - Math.log(n)] as const);
const whole = runWith([[0, 6], ...curve], 0);

describe('stepWorth', () => {
  it('reads r from the curve of the whole run, and s from FLOPs and times', () => {
    const dropped = runWith([[0, 6], [100, 5 - Math.log(70)]], 0.5); // prettier-ignore
    const { worth, flops, time, isAtLeast } = stepWorth(dropped, [whole, dropped])!;
    expect(worth).toBeCloseTo(0.7, 10);
    expect(flops).toBeCloseTo(1 / (1 - 0.4 * 0.5), 10);
    expect(time).toBeCloseTo(1 / 0.75, 10);
    expect(isAtLeast).toBe(false);
  });
  it('counts the steps of each run, where they differ', () => {
    const longer = runWith([[0, 6], [160, 5 - Math.log(80)]], 0.5); // prettier-ignore
    expect(stepWorth(longer, [whole, longer])!.worth).toBeCloseTo(0.5, 10);
  });
  it('takes the ends of whole runs of several lengths, and the line through them', () => {
    const flat = runWith([[0, 6], [50, 2.9], [100, 2.8]], 0); // prettier-ignore
    const shorter = runWith([[0, 6], [50, 3]], 0); // prettier-ignore
    const better = runWith([[0, 6], [100, 2.6]], 0.5); // prettier-ignore
    const worse = runWith([[0, 6], [100, 2.9]], 0.5); // prettier-ignore
    const runs = [flat, shorter, better, worse];
    expect(stepWorth(better, runs)).toMatchObject({ worth: expect.closeTo(2, 10) as number, isAtLeast: false });
    expect(stepWorth(worse, runs)!.worth).toBeCloseTo(Math.SQRT1_2, 10);
  });
  it('says at least where the whole run never came so low, and nothing learned is worth nothing', () => {
    const lower = runWith([[0, 6], [100, 0.1]], 0.5); // prettier-ignore
    expect(stepWorth(lower, [whole, lower])).toMatchObject({ worth: 1, isAtLeast: true });
    const idle = runWith([[0, 6], [100, 6]], 0.5); // prettier-ignore
    expect(stepWorth(idle, [whole, idle])).toMatchObject({ worth: 0, isAtLeast: false });
  });
  it('compares no runs on other data, models or batches, and none without drops or held-out losses', () => {
    const dropped = runWith([[0, 6], [100, 2]], 0.5); // prettier-ignore
    expect(stepWorth(dropped, [whole, dropped])).toBeDefined();
    const others: Partial<RunRecord>[] = [
      { data: { ...dropped.data, source: 'other' } },
      { model: { ...dropped.model, source: 'other' } },
      { options: { ...dropped.options, batch: 4 } },
      { heldOut: [] },
      { steps: whole.steps },
    ];
    for (const change of others) expect(stepWorth({ ...dropped, ...change }, [whole])).toBeUndefined();
    expect(stepWorth(dropped, [dropped, dropped])).toBeUndefined();
    const untimed = fakeRun({ heldOut: dropped.heldOut });
    expect(stepWorth(untimed, [whole, untimed])).toBeUndefined();
  });
});

describe('a report of runs that compare', () => {
  const dropped = runWith([[0, 6], [100, 5 - Math.log(70)]], 0.5); // prettier-ignore
  const lower = runWith([[0, 6], [100, 0.1]], 0.75); // prettier-ignore

  it('shows r, s and r · s on a terminal, with a verdict and the page that defines them', () => {
    const lines = renderText(comparisonTable([whole, dropped, lower])).split('\n');
    const cells = (title: string) =>
      lines
        .find(line => line.startsWith(title))!
        .trim()
        .split(/ {3,}/);
    expect(cells('Worth of a step, r')).toEqual(['Worth of a step, r', '–', '0.70', '≥ 1.00']);
    expect(cells('Speed-up in FLOPs, s')).toEqual(['Speed-up in FLOPs, s', '–', '1.25', '1.43']);
    expect(cells('r · s in FLOPs')).toEqual(['r · s in FLOPs', '–', '0.88', '≥ 1.43']);
    expect(cells('r · s in time')).toEqual(['r · s in time', '–', '0.93', '≥ 1.60']);
    expect(lines).toContain('dropped 0.5: dropping did not pay.');
    expect(lines).toContain('dropped 0.75: dropping paid in FLOPs and in time.');
    expect(lines.join(' ')).toContain(definitionPage);
    expect(renderText(comparisonTable([whole]))).not.toContain('r · s');
  });
  it('shows the same in the page, with a link', () => {
    const page = renderReport([whole, dropped]);
    expect(page).toContain(`<a href="${definitionPage}">`);
    expect(page).toContain('dropped 0.5: dropping did not pay.');
    expect(page).toContain('<th scope="row">r · s in FLOPs</th>');
    expect(renderReport([whole])).not.toContain('<a ');
  });
});
