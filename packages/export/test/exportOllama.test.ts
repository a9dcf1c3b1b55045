import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadChatTemplate } from '@dropbp/data';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { exportOllama } from '../src/index.ts';
import { findLinearFormat } from '../src/ollama/linearFormat.ts';
import { goTemplate } from '../src/ollama/modelfile.ts';

const austen = fileURLToPath(new URL('../../../models/austen-base', import.meta.url));
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const templates = {
  chatml:
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nHelp.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  llama3:
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
  llama2:
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>' + message['content'] + '<</SYS>>' }}{% elif message['role'] == 'user' and loop.index0 > 1 %}{{ '[INST]' + message['content'] }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}",
  strict: "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}{{ message['content'] }}{% endfor %}", // prettier-ignore
};

async function formatOf(name: keyof typeof templates, start = '') {
  const template = await loadChatTemplate({ config: { chat_template: templates[name], bos_token: '<|begin|>' } });
  return findLinearFormat(template!, start);
}

describe('a chat template', () => {
  it('that puts fixed texts around messages is written in the language of Ollama', async () => {
    expect(goTemplate((await formatOf('chatml'))!)).toBe(
      [
        '{{ if not .System }}<|im_start|>system\nHelp.<|im_end|>\n{{ end }}',
        '{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n',
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n',
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n',
        '{{ end }}{{ end }}<|im_start|>assistant\n',
      ].join(''),
    );
  });

  it('leaves the start to a tokenizer that puts it in front itself', async () => {
    const [own, left] = [await formatOf('llama3'), await formatOf('llama3', '<|begin|>')];
    expect(goTemplate(own!)).toMatch(/^\{\{ if not \.System \}\}<\|begin\|>\{\{ end \}\}/);
    expect(goTemplate(left!)).not.toContain('<|begin|>');
    expect(left!.answer).toBe('<|start_header_id|>assistant<|end_header_id|>\n\n');
  });

  it('that does more than that is not guessed', async () => {
    expect(await formatOf('llama2')).toBeUndefined();
    expect(await formatOf('strict')).toBeUndefined();
  });
});

describe('a folder for Ollama', () => {
  it('holds the model, and what ends a text', async () => {
    const { hasTemplate } = await exportOllama(austen, at('austen'), { type: 'Q8_0' });
    expect(hasTemplate).toBe(false);
    expect(readdirSync(at('austen')).sort()).toEqual(['Modelfile', 'model.gguf']);
    expect(readFileSync(at('austen/Modelfile'), 'utf8')).toBe(
      'FROM ./model.gguf\n\nPARAMETER stop "<|endoftext|>"\nPARAMETER num_ctx 512\n',
    );
  });

  it('holds the adapter alone for a model that Ollama has', async () => {
    const model = await loadModel(austen);
    const tuned = compose(model, lora({ rank: 2, targetModules: ['q_proj'], initialization: 'gaussian' }));
    await exportOllama(tuned, at('adapter'), { from: 'austen:small' });
    expect(readdirSync(at('adapter')).sort()).toEqual(['Modelfile', 'adapter.gguf']);
    expect(readFileSync(at('adapter/Modelfile'), 'utf8')).toBe('FROM austen:small\nADAPTER ./adapter.gguf\n');
    await expect(exportOllama(model, at('none'), { from: 'austen' })).rejects.toThrow('from needs an adapter');
    expect(readdirSync(folder).sort()).toEqual(['adapter', 'austen']);
    tuned.dispose();
    model.dispose();
  });
});
