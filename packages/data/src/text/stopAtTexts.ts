/**
 * A text in pieces, until one of some texts begins in it: neither that text nor what follows is given on. What may become one
 * waits for the next piece.
 *
 * @param pieces - such as {@link streamText} gives
 * @param stops - the texts that end it; an empty one ends it at once
 */
export async function* stopAtTexts(
  pieces: AsyncIterable<string>,
  stops: readonly string[],
): AsyncGenerator<string, void, undefined> {
  let waiting = '';
  for await (const piece of pieces) {
    waiting += piece;
    const found = stops.map(stop => waiting.indexOf(stop)).filter(at => at !== -1);
    if (found.length > 0) {
      const text = waiting.slice(0, Math.min(...found));
      if (text !== '') yield text;
      return;
    }
    const held = Math.max(0, ...stops.map(stop => overlap(waiting, stop)));
    const text = waiting.slice(0, waiting.length - held);
    waiting = waiting.slice(waiting.length - held);
    if (text !== '') yield text;
  }
  if (waiting !== '') yield waiting;
}

/** How much of the end of a text is the beginning of another. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
