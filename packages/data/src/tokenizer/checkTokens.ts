import { checkValue } from '@dropbp/basics';

/** Refuses what is no list of token ids, such as a text. @param subject - the function that was called: `'textBatches()'` */
export function checkTokens(subject: string, tokens: unknown): void {
  const fix = 'encode the text first: tokenizer.encode(text)';
  checkValue('data', `${subject}: tokens`, tokens, areTokens, 'token ids', fix);
}

function areTokens(tokens: unknown): boolean {
  const list = Array.isArray(tokens) || ArrayBuffer.isView(tokens) ? (tokens as ArrayLike<unknown>) : undefined;
  return list !== undefined && (list.length === 0 || typeof list[0] === 'number');
}
