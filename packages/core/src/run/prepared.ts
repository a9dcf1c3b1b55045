import type { Adapter } from '../contract/adapter.ts';
import type { Model } from '../contract/model.ts';

/** The adapter, ready to be attached to the model: itself, where there is nothing to wait for. */
export async function prepared(adapter: Adapter, model: Model): Promise<Adapter> {
  return (await adapter.prepare?.(model)) ?? adapter;
}
