import { readFileSync } from 'node:fs';
import { Problem } from '@dropbp/basics';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate } from '@dropbp/data';

interface JinjaCases {
  readonly values: Readonly<Record<string, unknown>>;
  readonly cases: readonly { readonly template: string; readonly text?: string; readonly error?: string }[];
}

/** What jinja_cases.py wrote. */
const { values, cases } = JSON.parse(
  readFileSync(new URL('../.cache/jinja/cases.json', import.meta.url), 'utf8'),
) as JinjaCases;

async function render(template: string): Promise<string | undefined> {
  const { messages, ...variables } = values;
  try {
    const loaded = (await loadChatTemplate({ template }))!;
    return loaded.render(messages as Parameters<typeof loaded.render>[0], { variables });
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

describe('random templates', () => {
  it('are written as Jinja2 writes them, or refused', async () => {
    let [written, equal] = [0, 0];
    for (const { template, text } of cases) {
      const ours = await render(template);
      if (ours !== undefined) expect({ template, text: ours }).toEqual({ template, text });
      if (text !== undefined) written++;
      if (ours !== undefined) equal++;
    }
    console.log(`${equal} of the ${written} templates that Jinja2 writes are written alike, the others refused`);
    expect(written).toBeGreaterThan(1000);
    expect(equal / written).toBeGreaterThan(0.97);
  });
});
