/** Colours of a chart; its ground is the page's own. */
export interface Theme {
  readonly ink: string;
  readonly quiet: string;
  readonly line: string;
  readonly ours: string;
  readonly theirs: string;
  readonly other: string;
}

/** GitHub's two grounds, white and near black. */
export const themes = {
  light: {
    ...{ ink: '#1f2328', quiet: '#59636e', line: '#d1d9e0' },
    ...{ ours: '#1f5fa8', theirs: '#a3aebb', other: '#bc4c00' },
  },
  dark: {
    ...{ ink: '#f0f6fc', quiet: '#9198a1', line: '#30363d' },
    ...{ ours: '#58a6ff', theirs: '#5b6673', other: '#f0883e' },
  },
} satisfies Readonly<Record<string, Theme>>;

/** A chart as SVG. @param described - the chart in words, for those who do not see it */
export function svg(width: number, height: number, described: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>${described}</title>
${parts.join('\n')}
</svg>
`;
}

/** Where a chart lies, from the root. */
export function chartFile(name: string, theme: string): string {
  return `docs/images/${name}.${theme}.svg`;
}

/** For Markdown: a chart on either ground. @param root - the way to the root from where the Markdown lies */
export function picture(name: string, described: string, root: string): string {
  return `<picture>
  <source media="(prefers-color-scheme: dark)" srcset="${root}${chartFile(name, 'dark')}">
  <img src="${root}${chartFile(name, 'light')}" alt="${described}">
</picture>`;
}

export function text(x: number, y: number, words: string, fill: string, anchor?: 'middle' | 'end'): string {
  const anchored = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  return `<text x="${x}" y="${y}" fill="${fill}"${anchored}>${words}</text>`;
}

/** A tenth of a pixel is enough. */
export function pixels(x: number): number {
  return Math.round(10 * x) / 10;
}
