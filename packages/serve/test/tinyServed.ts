import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { compose, type Tuned } from '@dropbp/compose';
import { prepareAdapter } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { loadPretrained } from '@dropbp/setup';
import { writeTinyModel } from '../../cli/test/tinyModelFolder.ts';
import type { OpenAiHandler, Served } from '../src/index.ts';

const template =
  "{% for m in messages %}{{ m['role'][0] + ':' + m['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}";

/** A Llama of random weights whose tokens are bytes, with two LoRA adapters and one that replaces weights. */
export interface TinyServed {
  readonly served: Served & { readonly tuned: Tuned };
  dispose(): Promise<void>;
}

/** Makes one: its text is the same each time. */
export async function tinyServed(): Promise<TinyServed> {
  const folder = await mkdtemp(join(tmpdir(), 'serve-'));
  await writeTinyModel(folder, { spread: 0.4 });
  await writeFile(join(folder, 'chat_template.jinja'), template);
  const pretrained = await loadPretrained(folder);
  const { model } = pretrained;
  const adapter = (): ReturnType<typeof lora> => lora({ rank: 2, targetModules: 'all-linear' });
  const tuned = compose(model, adapter(), undefined, { adapterName: 'one' });
  tuned.addAdapter('two', adapter());
  tuned.addAdapter('whole', await prepareAdapter(fullFineTune(), model));
  for (const [name, spread] of [
    ['one', 0.5],
    ['two', 0.3],
    ['whole', 0.05],
  ] as const) {
    tuned.useAdapter(name);
    let seed = 1;
    for (const [parameter, variable] of tuned.parameters) {
      if (name !== 'whole' && !parameter.endsWith('lora_B.weight')) continue;
      const noise = tf.randomNormal(variable.shape, 0, spread, 'float32', seed++);
      const sum = tf.add(variable, noise);
      variable.assign(sum);
      tf.dispose([noise, sum]);
    }
  }
  return {
    served: { ...pretrained, tuned },
    async dispose() {
      tuned.dispose();
      model.dispose();
      await rm(folder, { recursive: true });
    },
  };
}

/** What a handler answers. */
export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown> & { readonly choices: Record<string, unknown>[] };
}

/** A request for an endpoint. @param body - text is sent as it is */
export function postRequest(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Request {
  return new Request(`http://localhost/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** Asks an endpoint. */
export async function post(
  handler: Pick<OpenAiHandler, 'fetch'>,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await handler.fetch(postRequest(path, body, headers));
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}
