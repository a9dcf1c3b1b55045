import { expect, it } from 'vitest';
import { fakeRun } from '../../test/fakeRun.ts';
import { dropLine } from './dropCosts.ts';
import { decisionText } from './dropText.ts';
import { renderReport } from '../report/renderReport.ts';
import { runFault } from '../record/runFault.ts';

const costs = { dropped: 0.5, why: 'as --rate says', saved: 0.2, savedAtHalf: 0.2, trainsMost: false };
const drops = { allocation: 'depth', sampling: 'nested' };

it('says which layers and which prompts are dropped', () => {
  const layers = '50 % of the backward pass is dropped, by depth, as --rate says';
  const auto = 'prompts run forward only where gradients show that it pays (--drop-prompts auto)';
  expect(dropLine(costs, drops)).toBe(layers);
  expect(dropLine(costs, { ...drops, prompts: 'auto' })).toBe(`${layers}; ${auto}`);
  expect(dropLine({ ...costs, dropped: 0 }, { ...drops, prompts: 'auto' })).toBe(auto);
  expect(dropLine({ ...costs, dropped: 0 }, { ...drops, prompts: 'on' })).toBe(
    'prompts run forward only, as --drop-prompts says',
  );
});

it('says what was decided about prompts, and why, in the report too', () => {
  const accepted = { similarity: 0.9, saved: 0.37, dropsPrompts: true };
  const text = 'prompts run forward only from here on: ρ² is 0.81, and above 0.63 that pays';
  expect(decisionText(accepted)).toBe(text);
  expect(decisionText({ ...accepted, similarity: 0.5, dropsPrompts: false })).toBe(
    'prompts keep their backward pass: ρ² is 0.25, and dropping it would pay above 0.63',
  );
  expect(decisionText({ ...accepted, isPreliminary: true })).toBe(
    'prompts keep their backward pass until a tenth of the run decides: ρ² is 0.81 now, and dropping pays above 0.63',
  );
  expect(decisionText({ similarity: 1, saved: 0, dropsPrompts: false })).toBe('there are no prompts to drop');
  const impossible = { similarity: 0, saved: 0, dropsPrompts: false, isPossible: false } as const;
  expect(decisionText(impossible)).toBe('prompts keep their backward pass: this model cannot run parts of a text');
  const [first, ...others] = fakeRun().steps;
  const run = fakeRun({ steps: [{ ...first!, promptDecision: accepted }, ...others] });
  expect(runFault(run)).toBeUndefined();
  expect(renderReport([run])).toContain(`Step 1: ${text}.`);
  expect(runFault({ ...run, steps: [{ ...first!, promptDecision: impossible }] })).toBeUndefined();
  const damaged = { ...accepted, dropsPrompts: 'yes' };
  expect(runFault({ ...run, steps: [{ ...first!, promptDecision: damaged }] })).toBe(
    'steps.0.promptDecision.dropsPrompts',
  );
});
