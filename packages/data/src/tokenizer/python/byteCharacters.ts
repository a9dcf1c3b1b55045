/**
 * GPT-2's alphabet: the character that stands for each byte. It is the byte's own where that shows, otherwise the next
 * one from U+0100 on. Source: openai/gpt-2, src/encoder.py.
 */
export const byteCharacters: readonly string[] = makeAlphabet();

function makeAlphabet(): string[] {
  let hidden = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const shows = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(shows ? byte : hidden++);
  });
}
