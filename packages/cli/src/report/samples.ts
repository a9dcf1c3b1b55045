import type { RunRecord } from '../run/runRecord.ts';
import { markup, type Markup } from './markup.ts';

/** Text that the models wrote before and after training; nothing where no run has any. */
export function samples(runs: readonly RunRecord[]): Markup | null {
  const blocks: { title: string; prompt: string; text: string; run?: number }[] = [];
  runs.forEach(({ name, sample }, run) => {
    if (sample === null) return;
    const { prompt, before, after } = sample;
    // Runs from one base start with the same text.
    if (!blocks.some(block => block.prompt === prompt && block.text === before)) {
      blocks.push({ title: 'Before', prompt, text: before });
    }
    blocks.push({ title: `After: ${name}`, prompt, text: after, run });
  });
  if (blocks.length === 0) return null;
  return markup`<section aria-labelledby="samples">
    <h2 id="samples">Text samples</h2>
    <div class="samples">
      ${blocks.map(
        ({ title, prompt, text, run }) =>
          markup`<article>
            <h3>${run === undefined ? null : markup`<span class="key run-${run % 6}"></span>`}${title}</h3>
            <blockquote><b>${prompt}</b>${text}</blockquote>
          </article>`,
      )}
    </div>
  </section>`;
}
