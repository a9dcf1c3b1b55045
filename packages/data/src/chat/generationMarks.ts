import type { MarkedText, TextSpan } from './chatTemplate.ts';

// Not characters: Unicode keeps them for marks like these, and no text should hold them.
const START = '\ufdd0';
const END = '\ufdd1';

const TAG = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g;

/** Whether a template says which parts the assistant wrote. */
export function hasGenerationTags(template: string): boolean {
  return /\{%[-+]?\s*generation\s*[-+]?%\}/.test(template);
}

/**
 * A template whose `{% generation %}` blocks are calls that put marks around what they write. Like transformers, a call: the
 * block's variables stay its own, and white space is stripped as around any other block.
 */
export function withMarks(template: string): string {
  const calls = template.replace(TAG, (_, before: string, end: string | undefined, after: string) =>
    end === undefined ? `{%${before} call mark_generation() ${after}%}` : `{%${before} endcall ${after}%}`,
  );
  // On a line of its own, whose end the block takes with it.
  return `{% macro mark_generation() %}${START}{{ caller() }}${END}{% endmacro %}\n${calls}`;
}

/** Whether a text holds the marks themselves. */
export function holdsMarks(text: string): boolean {
  return text.includes(START) || text.includes(END);
}

/** Takes the marks out again and says where they were. */
export function takeMarks(marked: string): MarkedText {
  const spans: TextSpan[] = [];
  let text = '';
  for (const part of marked.split(START)) {
    const [answer, ...rest] = part.split(END);
    if (rest.length > 0) spans.push({ start: text.length, end: text.length + answer!.length });
    text += answer! + rest.join('');
  }
  return { text, spans: spans.filter(({ start, end }) => end > start) };
}
