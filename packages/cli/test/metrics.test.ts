import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-metrics-'));
  await writeTinyModel(at('model'), { spread: 0.5 });
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: string, ...flags: string[]) {
  const terminal = fakeTerminal();
  const args = [command, '--model', at('model'), '--backend', 'cpu', ...flags];
  const code = await runCommandLine({ commands, version: '0', args, terminal });
  return { code, ...terminal.written };
}

it('scores written answers with metrics of ours and of a file', async () => {
  const prompts = ['The', 'To be', 'x'].map(prompt => ({ prompt }));
  const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(at('asks.jsonl'), lines(prompts));
  const asked = await run('generate', '--data', at('asks.jsonl'), '--temperature', '0', '--max-new-tokens', '6');
  const answers = asked.out.trimEnd().split('\n').map(line => (JSON.parse(line) as { answer: string }).answer); // prettier-ignore
  // Two of three are as the model writes them.
  writeFileSync(
    at('rows.jsonl'),
    lines(prompts.map((row, i) => ({ ...row, completion: i === 1 ? 'no' : answers[i]! }))),
  );
  writeFileSync(at('length.mjs'), 'export default (answer, row) => answer.length + row.prompt.length;');
  const flags = ['--data', at('rows.jsonl'), '--metric', 'exact-match', '--metric', 'json', '--metric', at('length.mjs'), '--max-new-tokens', '6']; // prettier-ignore
  const { code, out, notes } = await run('evaluate', ...flags, '--out', at('scored.jsonl'), '--json');
  expect(code, notes).toBe(0);
  const mean = answers.reduce((sum, answer, i) => sum + answer.length + prompts[i]!.prompt.length, 0) / 3;
  const { metrics } = JSON.parse(out) as { metrics: Record<string, number> };
  expect(metrics['exact-match']).toBeCloseTo(2 / 3, 12);
  expect(metrics.length).toBeCloseTo(mean, 12);
  const scored = readFileSync(at('scored.jsonl'), 'utf8').trimEnd().split('\n').map(line => JSON.parse(line) as object); // prettier-ignore
  expect(scored[1]).toMatchObject({
    prompt: 'To be',
    reference: 'no',
    answer: answers[1],
    scores: { 'exact-match': 0 },
  });
  writeFileSync(at('bad.mjs'), 'export default () => "much";');
  const cases: [string[], string][] = [
    [
      ['--data', at('asks.jsonl'), '--metric', 'exact-match'],
      'line 1: the row holds no answer for --metric exact-match',
    ],
    [['--data', at('rows.jsonl'), '--metric', at('bad.mjs')], 'line 1: --metric bad gave no score; got "much"'],
    [
      ['--data', at('rows.jsonl'), '--metric', 'rouge'],
      '--metric is not usable; got "rouge"; expected exact-match, f1, json',
    ],
    [['--data', at('rows.jsonl'), '--out', 'x'], '--out has no effect without --metric'],
  ];
  for (const [more, message] of cases) {
    const refused = await run('evaluate', ...more);
    expect([refused.code, refused.notes.includes(message) ? message : refused.notes]).toEqual([2, message]);
  }
});

it('scores answers of conversations, which the chat template writes', async () => {
  const template = `{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`;
  writeFileSync(at('model/chat_template.jinja'), template);
  onTestFinished(() => rmSync(at('model/chat_template.jinja')));
  const lines = (rows: readonly object[]): string => rows.map(row => `${JSON.stringify(row)}\n`).join('');
  const texts = ['The', 'To be', 'x'];
  const asks = texts.map(content => [{ role: 'user', content }]);
  writeFileSync(at('chats.jsonl'), lines(asks.map(messages => ({ messages }))));
  const flags = ['--max-new-tokens', '6'];
  const asked = await run('generate', '--data', at('chats.jsonl'), '--temperature', '0', ...flags);
  const answers = asked.out.trimEnd().split('\n').map(line => (JSON.parse(line) as { answer: string }).answer); // prettier-ignore
  const rows = asks.map((messages, i) => ({
    messages: [...messages, { role: 'assistant', content: i === 1 ? 'no' : answers[i]! }],
  }));
  writeFileSync(at('answered.jsonl'), lines(rows));
  const scored = await run('evaluate', '--data', at('answered.jsonl'), '--metric', 'exact-match', ...flags, '--out', at('chats-scored.jsonl'), '--json'); // prettier-ignore
  expect(scored.code, scored.notes).toBe(0);
  expect(JSON.parse(scored.out)).toMatchObject({ form: 'answers', rows: 3, metrics: { 'exact-match': 2 / 3 } });
  const kept = readFileSync(at('chats-scored.jsonl'), 'utf8').trimEnd().split('\n').map(line => JSON.parse(line) as { answer: string }); // prettier-ignore
  expect(kept.map(({ answer }) => answer)).toEqual(answers);
  // As plain prompts the same texts are answered otherwise.
  writeFileSync(at('plain.jsonl'), lines(texts.map(prompt => ({ prompt }))));
  const plain = await run('generate', '--data', at('plain.jsonl'), '--temperature', '0', ...flags);
  expect(plain.out.trimEnd().split('\n').map(line => (JSON.parse(line) as { answer: string }).answer)).not.toEqual(answers); // prettier-ignore
});

it('says that nothing is scored where Ctrl-C comes before the first answers', async () => {
  writeFileSync(at('stopped.jsonl'), '{"prompt":"a","completion":"b"}\n');
  for (const more of [[], ['--json']]) {
    const terminal = fakeTerminal({
      onInterrupt(listener) {
        listener('SIGINT');
        return () => undefined;
      },
    });
    const args = ['evaluate', '--model', at('model'), '--backend', 'cpu', '--data', at('stopped.jsonl'), '--metric', 'exact-match', '--out', at('stopped-scores.jsonl'), ...more]; // prettier-ignore
    expect(await runCommandLine({ commands, version: '0', args, terminal })).toBe(130);
    expect(terminal.written.out).toBe('');
    expect(terminal.written.notes).toContain('Stopped before a row was answered: there is nothing to score');
    expect(existsSync(at('stopped-scores.jsonl'))).toBe(false);
  }
});
