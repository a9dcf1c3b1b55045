import { nodeModule, problem } from '@dropbp/basics';
import type { TunedAdapter } from '../tuned.ts';

/** Saves adapters as PEFT does: the one called `default` in the folder itself, others in folders of their names. */
export async function saveAll(directory: string, adapters: ReadonlyMap<string, TunedAdapter>): Promise<void> {
  if (adapters.size === 0) throw problem('compose', { what: 'save() has no adapter to save', fix: 'name some' });
  const path = nodeModule('compose', 'node:path');
  for (const [name, tuned] of adapters) await tuned.save(name === 'default' ? directory : path.join(directory, name));
}
