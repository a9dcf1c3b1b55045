/** Markup that is safe to put into a page as it is. */
export interface Html {
  readonly markup: string;
}

/** A template whose values are escaped, but for markup made by `html` itself; lists are joined, `null` is nothing. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[] | null)[]
): Html {
  const parts = strings.map((text, i) => (i < values.length ? text + show(values[i]!) : text));
  return { markup: parts.join('') };
}

/** Text that is trusted, such as the page's own script. */
export function trusted(markup: string): Html {
  return { markup };
}

/** Data for a script to read: JSON in which nothing can end the script element. */
export function jsonScript(id: string, value: unknown): Html {
  const json = JSON.stringify(value).replaceAll('<', '\\u003c');
  return html`<script type="application/json" id="${id}">
    ${trusted(json)}
  </script>`;
}

function show(value: string | number | Html | readonly Html[] | null): string {
  if (value === null) return '';
  if (typeof value === 'object') return 'markup' in value ? value.markup : value.map(item => item.markup).join('');
  return escapeHtml(String(value));
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, character => entities[character]!);
}
