import { describe, expect, it } from 'vitest';
import { compareCounts, findingsOf, markdownTexts, sourceTexts, summarise } from './prose/index.mjs';

const words = (count: number): string => `Word${' word'.repeat(count - 1)}.`;
const rulesIn = (file: string, text: string): string[] =>
  (file.endsWith('.md') ? markdownTexts : sourceTexts)(file, text)
    .flatMap(findingsOf)
    .map(({ rule }) => rule);

describe('findings in Markdown', () => {
  it('counts words of a sentence, not of a paragraph', () => {
    expect(rulesIn('docs/a.md', `${words(25)} ${words(25)}`)).toEqual([]);
    expect(rulesIn('docs/a.md', `${words(5)} ${words(26)}`)).toEqual(['26 words']);
  });

  it('takes a span of code as one word, and leaves out blocks of code and generated tables', () => {
    const code = '`npx dropbp train --model a --data b --steps 20`';
    expect(rulesIn('docs/a.md', `${words(24).slice(0, -1)} ${code}.`)).toEqual([]);
    expect(rulesIn('docs/a.md', `\`\`\`sh\n${words(40)}\n\`\`\``)).toEqual([]);
    expect(rulesIn('docs/a.md', `<!-- table: a -->\n\n${words(40)}\n\n<!-- /table -->`)).toEqual([]);
  });

  it('reads items and cells, and names the line', () => {
    const [item] = markdownTexts('docs/a.md', `# A\n\n- ${words(30)}\n`).flatMap(findingsOf);
    expect(item).toMatchObject({ line: 3, rule: '30 words' });
    expect(rulesIn('docs/a.md', `| a |\n| --- |\n| ${words(30)} |`)).toEqual(['30 words']);
  });

  it.each([
    ['A batch that is no tensors is refused.', 'inverted negative'],
    ['It takes none but names.', 'inverted negative'],
    ['What a plan foretells is too much.', 'private word'],
    ['The way back is left out.', 'private word'],
    ['The peak is that of the step, not that of the mean.', 'pointing'],
  ])('finds: %s', (text, rule) => {
    expect(rulesIn('docs/a.md', text)).toEqual([expect.stringContaining(rule)]);
  });

  it.each(['It is no longer finite.', 'There is no such file.', 'The plan predicts the peak of that run.'])(
    'lets pass: %s',
    text => {
      expect(rulesIn('docs/a.md', text)).toEqual(text.startsWith('There') ? [expect.any(String)] : []);
    },
  );
});

describe('findings in sources', () => {
  it('reads the parts of an error, also of templates and both sides of a condition', () => {
    const code = `throw problem('x', { what: \`\${name} is no file\`, fix: a ? 'is no good' : 'give a path' });`;
    expect(rulesIn('packages/x/src/a.ts', code)).toEqual([
      expect.stringContaining("'is no file'"),
      expect.stringContaining("'is no good'"),
    ]);
  });

  it('asks that an error says what was expected or what to do', () => {
    const flaw = 'says neither what was expected nor what to do';
    expect(rulesIn('packages/x/src/a.ts', `throw problem('x', { what: 'the file is empty' });`)).toEqual([flaw]);
    expect(rulesIn('packages/x/src/a.ts', `throw problem('x', { what: 'it is empty', ...more });`)).toEqual([]);
    expect(rulesIn('packages/x/src/a.ts', `throw problem('x', { what: 'it is empty', isFailure: true });`)).toEqual([]);
  });

  it('reads docstrings of what is exported and of its members alone', () => {
    const code = (lead: string): string =>
      `/** ${words(26)} */\n${lead}interface A {\n  /** ${words(27)} */\n  b: 1;\n}`;
    expect(rulesIn('packages/x/src/a.ts', code('export '))).toEqual(['26 words', '27 words']);
    expect(rulesIn('packages/x/src/a.ts', code(''))).toEqual([]);
  });

  it('asks for twelve words in the help of a flag', () => {
    const code = `import { toggle } from '../flag.ts';\nexport const flags = { a: toggle('${words(13)}'), b: other('${words(13)}') };`;
    expect(rulesIn('packages/cli/src/a.ts', code)).toEqual(['13 words']);
    expect(rulesIn('packages/train/src/a.ts', code)).toEqual([]);
  });
});

describe('exceptions', () => {
  it('fails for more and for fewer than are allowed', () => {
    const { wrong } = compareCounts({ more: 2, fewer: 1, same: 1, fresh: 1 }, { more: 1, fewer: 2, same: 1, gone: 1 });
    expect(wrong.map(line => line.split(' ')[0])).toEqual(['fewer', 'fresh', 'gone', 'more']);
  });

  it('are only ever lowered', () => {
    const { lowered } = compareCounts({ more: 2, fewer: 1, fresh: 1 }, { more: 1, fewer: 2, gone: 1 });
    expect(lowered).toEqual({ fewer: 1, more: 1 });
  });
});

describe('summarise', () => {
  it('gives median and 90th percentile of a kind, without cells and headings', () => {
    const text = Array.from({ length: 10 }, (_, i) => words(i + 1)).join(' ');
    const [readme] = summarise(markdownTexts('README.md', `# ${words(30)}\n\n${text}`));
    expect(readme).toEqual({ kind: 'README', sentences: 10, median: 5, ninetieth: 9 });
  });
});
