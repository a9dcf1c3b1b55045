import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { renderText, type Styled } from '../src/terminal/paint.ts';
import type { Interrupt } from '../src/terminal/terminal.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-serve-'));
  await writeTinyModel(at('model'));
  const model = await loadModel(at('model'));
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear', initialization: 'gaussian' }));
  await tuned.save(at('adapter'));
  tuned.dispose();
  model.dispose();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Runs `dropbp serve` until something was done with what it prints. */
async function serving(
  args: string[],
  use: (printed: string) => Promise<void>,
): Promise<{ code: number; notes: string }> {
  let listener: ((signal: Interrupt) => void) | undefined;
  let used: Promise<void> | undefined;
  const terminal = fakeTerminal({
    onInterrupt(given) {
      listener = given;
      return () => undefined;
    },
  });
  const out = (text: Styled): void => {
    used = use(renderText(text)).finally(() => listener!('SIGTERM'));
  };
  const line = ['serve', '--backend', 'cpu', '--port', '0', ...args];
  const code = await runCommandLine({ commands, version: '0.0.0', args: line, terminal: { ...terminal, out } });
  await used;
  return { code, notes: terminal.written.notes };
}

describe('dropbp serve', () => {
  it('serves a model and adapters by name, and ends when asked to', async () => {
    const adapters = ['--adapter', `a=${at('adapter')}`, '--adapter', `b=${at('adapter')}`];
    const { code, notes } = await serving([at('model'), ...adapters, '--api-key', 'k', '--json'], async printed => {
      const { url, models } = JSON.parse(printed) as { url: string; models: string[] };
      expect(models).toEqual(['model', 'a', 'b']);
      const headers = { authorization: 'Bearer k', 'content-type': 'application/json' };
      expect((await fetch(`${url}/models`)).status).toBe(401);
      const body = JSON.stringify({ model: 'b', prompt: 'Hi', max_tokens: 3, temperature: 0 });
      const answer = await fetch(`${url}/completions`, { method: 'POST', headers, body });
      expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 3 } });
    });
    expect({ code, notes }).toMatchObject({ code: 0, notes: expect.stringContaining('Finishing') as string });
  });

  it('takes the base that an adapter names', async () => {
    const { code } = await serving(['--adapter', `a=${at('adapter')}`, '--name', 'base'], async printed => {
      expect(printed).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1 {2}base, a\n$/);
      await Promise.resolve();
    });
    expect(code).toBe(0);
  });

  it('refuses what makes no sense', async () => {
    const wrong = async (...args: string[]): Promise<string> => {
      const { code, notes } = await serving(args, () => Promise.reject(new Error('it serves')));
      expect(code).toBe(2);
      return notes;
    };
    expect(await wrong()).toContain('there is no model');
    expect(await wrong(at('model'), '--model', at('model'))).toContain('both name a model');
    expect(await wrong('--adapter', at('adapter'))).toContain("such as 'kjv=out/kjv/adapter'");
    expect(await wrong('--adapter', 'a=x', '--adapter', 'a=y')).toContain("two adapters are called 'a'");
    expect(await wrong(at('model'), '--port', '70000')).toContain('an integer from 0 to 65535');
    expect(await wrong(at('model'), '--adapter', `a.b=${at('adapter')}`)).toContain("the adapter's name is not usable");
    expect(await wrong(at('model'), '--adapter', `a=${at('adapter')}`, '--name', 'a')).toContain('is not usable');
  });
});
