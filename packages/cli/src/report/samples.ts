import type { RunRecord } from '../record/runRecord.ts';
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
    const start = texts.find(({ step }) => step === 0)?.text;
    // Runs from one base start with the same text.
    const isKnown = ends.some(block => block.prompt === prompt && block.text === start && block.run === undefined);
    if (start !== undefined && !isKnown) ends.push({ title: 'Before', prompt, text: start });
    const block = ({ step, text }: { step: number; text: string }): Block => ({ title: `After step ${step}: ${name}`, prompt, text, run }); // prettier-ignore
    if (end !== undefined && end.step !== 0) ends.push(block(end));
    for (const sample of texts) if (sample.step !== 0 && sample.step !== end?.step) between.push(block(sample));
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

/** Samples between the first and the last that a page shows. */
const MOST_SAMPLES = 100;
/** Characters of a sample that a page shows. */
const MOST_CHARACTERS = 4000;

/** As many items as are allowed, from all over the list. */
function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!);
}

function shorten(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

function asTrainingWent(blocks: readonly Block[]): Markup {
  const shown = evenly(blocks, MOST_SAMPLES);
  const some = shown.length < blocks.length ? `, ${shown.length} of them here` : '';
  return markup`<details class="between">
      <summary>${blocks.length} ${blocks.length === 1 ? 'sample' : 'samples'} as training went${some}</summary>
      <div class="samples">
        ${shown.map(article)}
      </div>
    </details>`;
}

function article({ title, prompt, text, run }: Block): Markup {
  return markup`<article>
            <h3>${run === undefined ? null : markup`<span class="key run-${run % 6}"></span>`}${title}</h3>
            <blockquote><b>${shorten(prompt)}</b>${shorten(text)}</blockquote>
          </article>`;
}
