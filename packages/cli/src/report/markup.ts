import { escapeControls } from '@dropbp/basics';

/** Markup that is safe to put into a page as it is. */
export interface Markup {
  readonly html: string;
}

/** A template whose values are escaped, control characters too, but for markup made by `markup` itself; lists are joined, `null` is nothing. */
export function markup(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Markup | readonly Markup[] | null)[]
): Markup {
  const parts = strings.map((text, i) => (i < values.length ? text + show(values[i]!) : text));
  return { html: parts.join('') };
}

/** Text that is trusted, such as the page's own script. */
export function trusted(html: string): Markup {
  return { html };
}

/** Data for a script to read: JSON in which nothing can end the script element. Control characters in texts are escaped. */
export function jsonScript(id: string, value: unknown): Markup {
  const safe = (_: string, part: unknown): unknown => (typeof part === 'string' ? escapeControls(part) : part);
  const json = JSON.stringify(value, safe).replaceAll('<', '\\u003c');
  return markup`<script type="application/json" id="${id}">
    ${trusted(json)}
  </script>`;
}

function show(value: string | number | Markup | readonly Markup[] | null): string {
  if (value === null) return '';
  if (typeof value === 'object') return 'html' in value ? value.html : value.map(item => item.html).join('');
  return escapeHtml(String(value));
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return escapeControls(text).replaceAll(/[&<>"']/g, character => entities[character]!);
}
