import type { RunRecord } from '@dropbp/cli';

/** The text samples of the runs, before training once, indented and wrapped. */
export function showSamples(runs: readonly RunRecord[], color: boolean): string {
  const first = runs[0]?.samples;
  if (!first) return '';
  const blocks = [
    { title: 'Before', text: first.prompt + (first.texts[0]?.text ?? '') },
    ...runs.map(({ name, samples }) => ({
      title: `After, ${name}`,
      text: `${samples?.prompt ?? ''}${samples?.texts.at(-1)?.text ?? ''}`,
    })),
  ];
  const bold = (text: string): string => (color ? `\u001B[1m${text}\u001B[22m` : text);
  return blocks.map(({ title, text }) => `${bold(title)}\n${wrap(text)}\n`).join('\n');
}

function wrap(text: string): string {
  const width = Math.min(100, process.stdout.columns || 80) - 2;
  const lines = text
    .trim()
    .split('\n')
    .flatMap(paragraph => paragraph.match(new RegExp(`.{1,${width}}(?:\\s+|$)`, 'g')) ?? ['']);
  return lines.map(line => `  ${line.trimEnd()}`).join('\n');
}
