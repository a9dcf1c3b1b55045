import { problem } from '@dropbp/basics';

/** Names that mean something else in PEFT's keys and calls. */
const reserved: readonly string[] = ['__base__', 'lora', 'lora_', 'ia3', 'ia3_'];

/** @throws Problem for what cannot be the name of an adapter: it becomes a folder, and in PEFT a part of keys */
export function checkAdapterName(name: unknown): void {
  if (typeof name === 'string' && /^[^./\\\s][^./\\]*$/.test(name) && !reserved.includes(name)) return;
  throw problem('compose', {
    what: "the adapter's name is not usable",
    got: name,
    expected: `a text without dots and slashes, other than ${reserved.join(', ')}`,
  });
}
