import type { MarkedText, TextSpan } from './chatTemplate.ts';

// Not characters: Unicode keeps them for marks like these, and no text should hold them.
const START = '\ufdd0';
const END = '\ufdd1';

/** What stands around each part that the assistant wrote while the parts are looked for. */
export const generationMarks: readonly [start: string, end: string] = [START, END];

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
