import type { Tokenizer } from '@dropbp/data';

/** Token ids of a text. One that is too long loses tokens at its end, and keeps what the tokenizer puts around it. */
export function encodeText(tokenizer: Tokenizer, text: string, maxLength: number): number[] {
  const whole = tokenizer.encode(text);
  if (whole.length <= maxLength) return whole;
  const bare = tokenizer.encode(text, { addSpecialTokens: false });
  const around = whole.length - bare.length;
  let front = 0;
  while (front < around && whole[front] !== bare[0]) front++;
  const behind = around - front;
  const end = Math.max(front, maxLength - behind);
  return [...whole.slice(0, end), ...whole.slice(whole.length - behind)].slice(0, maxLength);
}
