import markdownIt from 'markdown-it';

const parser = markdownIt({ html: true });

/**
 * The paragraphs, items, headings and cells of a page; a span of code counts as one word, and generated tables are left out. Only what
 * stands in paragraphs and items is `isCounted`: cells and headings are rarely sentences.
 */
export function markdownTexts(file, content) {
  const kind = /(^|\/)README\.md$/.test(file) && !file.startsWith('docs/') ? 'README' : 'docs';
  const texts = [];
  const inside = [];
  // Lines stay where they are, so that findings name them.
  const own = content.replaceAll(/<!-- table: [^]*?<!-- \/table -->/g, table => table.replaceAll(/[^\n]/g, ''));
  let line = 0;
  for (const token of parser.parse(own, {})) {
    if (token.map) line = token.map[0] + 1;
    if (token.nesting === 1) inside.push(token.type);
    if (token.nesting === -1) inside.pop();
    if (token.type !== 'inline') continue;
    const text = plainText(token.children);
    const isCounted = !inside.some(type => /^(heading|th|td)_open$/.test(type));
    if (text.trim() !== '') texts.push({ file, line, kind, text, isCounted });
  }
  return texts;
}

function plainText(tokens) {
  return tokens
    .map(({ type, content, children }) => {
      if (type === 'code_inline') return 'code';
      if (type === 'softbreak' || type === 'hardbreak') return ' ';
      if (type === 'html_inline') return '';
      return type === 'text' ? content : plainText(children ?? []);
    })
    .join('');
}
