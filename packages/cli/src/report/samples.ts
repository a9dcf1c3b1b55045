import type { RunRecord } from '../run/runRecord.ts';
import { markup, type Markup } from './markup.ts';

interface Block {
  readonly title: string;
  readonly prompt: string;
  readonly text: string;
  /** Index of the run, in whose colour it stands. */
  readonly run?: number;
}

/** Text that the models wrote before, as training went, and with the state that was kept; nothing where no run has samples. */
export function samples(runs: readonly RunRecord[]): Markup | null {
  const ends: Block[] = [];
  const between: Block[] = [];
  runs.forEach(({ name, samples, ended }, run) => {
    const { prompt = '', texts = [] } = samples ?? {};
    const end = texts.find(({ step }) => step === ended?.keptStep) ?? texts.at(-1);
    texts.forEach(({ step, text }) => {
      if (step === 0) {
        // Runs from one base start with the same text.
        if (!ends.some(block => block.prompt === prompt && block.text === text && block.run === undefined)) {
          ends.push({ title: 'Before', prompt, text });
        }
      } else if (step === end?.step) ends.push({ title: `After step ${step}: ${name}`, prompt, text, run });
      else between.push({ title: `After step ${step}: ${name}`, prompt, text, run });
    });
  });
  if (ends.length === 0) return null;
  return markup`<section aria-labelledby="samples">
    <h2 id="samples">Text samples</h2>
    <div class="samples">
      ${ends.map(article)}
    </div>
    ${between.length === 0 ? null : asTrainingWent(between)}
  </section>`;
}

function asTrainingWent(blocks: readonly Block[]): Markup {
  return markup`<details class="between">
      <summary>${blocks.length} ${blocks.length === 1 ? 'sample' : 'samples'} as training went</summary>
      <div class="samples">
        ${blocks.map(article)}
      </div>
    </details>`;
}

function article({ title, prompt, text, run }: Block): Markup {
  return markup`<article>
            <h3>${run === undefined ? null : markup`<span class="key run-${run % 6}"></span>`}${title}</h3>
            <blockquote><b>${prompt}</b>${text}</blockquote>
          </article>`;
}
