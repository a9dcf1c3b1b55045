import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeControls, problem } from '@dropbp/basics';
import { encodeSafetensors } from '@dropbp/safetensors';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { commands } from '../src/commands.ts';
import { command } from '../src/flags/command.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { fieldLines } from '../src/commands/inspect/fieldLines.ts';
import { openRunLog } from '../src/record/runLog.ts';
import { renderReport } from '../src/report/renderReport.ts';
import { displayWidth, paint, renderText, styled, type Styled } from '../src/terminal/paint.ts';
import { processTerminal } from '../src/terminal/processTerminal.ts';
import { progressBar } from '../src/terminal/progress/progressBar.ts';
import { statusLine } from '../src/terminal/statusLine.ts';
import { styledTable } from '../src/terminal/table.ts';
import { terminal } from '../src/terminal/terminal.ts';
import { fakeRun } from './fakeRun.ts';
import { fakeTerminal } from './fakeTerminal.ts';
import { writeTinyModel } from './tinyModelFolder.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-sink-'));
  await writeTinyModel(at('model'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.unstubAllGlobals());

const ranges = [[0, 0x1f], [0x7f, 0x9f], [0x202a, 0x202e], [0x2066, 0x2069], [0xd800, 0xdfff]] as const; // prettier-ignore
const control = fc
  .oneof(...ranges.map(([min, max]) => fc.integer({ min, max })))
  .map(code => String.fromCharCode(code));
const attack = fc.constantFrom('\u001B[31m', '\u001B]0;title\u0007', '\u001B[2J', '\r\u001B[2K', '\u009B1m', '\u001B]8;;x\u001B\\', '\r\n', '\uD83D\uDE42', '日本'); // prettier-ignore
const hostile = fc
  .array(fc.oneof(control, attack, fc.string({ maxLength: 4 })), { minLength: 1, maxLength: 8 })
  .map(parts => parts.join(''));

/** Without half characters, which no file in UTF-8 holds. */
const whole = hostile.filter(text => !/\p{Surrogate}/u.test(text) && text !== '__metadata__');

/** Characters that no line may hold, found without the expression under test. */
function strangers(text: string): string[] {
  return Array.from(text).filter(character => {
    const code = character.codePointAt(0)!;
    return code !== 9 && code !== 10 && ranges.some(([min, max]) => code >= min && code <= max);
  });
}

function expectClean({ out, notes }: { readonly out: string; readonly notes: string }): void {
  expect(strangers(out + notes)).toEqual([]);
}

/** Runs the command as on a screen without colours: every control character is a stranger there. */
async function run(...args: string[]) {
  const own = fakeTerminal();
  const code = await runCommandLine({ commands, version: '0', args, terminal: own });
  expectClean(own.written);
  return { code, ...own.written };
}

const property = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => Promise<void> | void, numRuns = 100) =>
  fc.assert(
    fc.asyncProperty(arbitrary, async value => check(value)),
    { numRuns },
  );

describe('what is written to a screen', () => {
  const printers: Record<string, (text: string) => Styled> = {
    'plain text': text => text,
    'painted text': text => paint('red', text),
    'a template': text => styled`${text}: ${paint('dim', [text, text])}${[text]}`,
    'a table': text => styledTable({ header: [text, 'n'], rows: [[text, text], [paint('bold', text)]] }),
    fields: text => fieldLines([[text, text], ['a', text]]), // prettier-ignore
  };
  it.each(Object.entries(printers))('holds only our own sequences: %s', async (_, print) => {
    await property(hostile, text => {
      const plain = renderText(print(text));
      expect(strangers(plain)).toEqual([]);
      const painted = renderText(print(text), { hasColor: true, isInteractive: true });
      expect(painted.replaceAll(/\u001B\[(?:1|2|22|3[1-9])m/g, '')).toBe(plain);
    });
  });
  it.each(['a table', 'fields', 'a template', 'painted text'])('has one line for a value: %s', async kind => {
    const breaks = renderText(printers[kind]!('a b')).split('\n').length;
    await property(
      hostile.filter(text => !/^ *$/.test(text)),
      text => {
        const lines = kind === 'a template' ? renderText(styled`${text}: ${paint('dim', text)}`) : renderText(printers[kind]!(text)); // prettier-ignore
        expect(lines.split('\n')).toHaveLength(breaks);
      },
    );
  });
  it('has straight columns, whatever stands in a cell', async () => {
    await property(fc.array(hostile, { minLength: 1, maxLength: 4 }), names => {
      const rows = names.map((name, i) => [name, String(i)]);
      const [, rule, ...lines] = renderText(styledTable({ header: ['name', 'n'], rows }))
        .trimEnd()
        .split('\n');
      expect(lines).toHaveLength(names.length);
      for (const line of lines) expect(displayWidth(line)).toBe(displayWidth(rule!));
    });
  });
  it('is as wide as the screen at most in status lines and bars', async () => {
    await property(hostile, text => {
      const own = fakeTerminal({ isInteractive: true, columns: 40 });
      statusLine(own).show(text, text);
      progressBar({ terminal: own, total: 9, label: text }).update({ step: 1, loss: 1, tokens: 1, seconds: 1 });
      const lines = own.written.notes.split('\r\u001B[2K').slice(1);
      expect(lines).toHaveLength(2);
      for (const line of lines) {
        expect(strangers(line)).toEqual([]);
        expect(line).not.toContain('\n');
        expect(displayWidth(line)).toBeLessThan(40);
      }
    });
  });
  it('is the same value as JSON', async () => {
    await property(hostile, text => {
      const own = fakeTerminal();
      own.out(JSON.stringify({ [text]: text }));
      expectClean(own.written);
      expect(JSON.parse(own.written.out)).toEqual({ [text]: text });
    });
  });
});

describe("a model's text", () => {
  const write = (pieces: readonly string[], isTTY: boolean): string => {
    let written = '';
    const stream = { write: (text: string) => (written += text), isTTY };
    const own = terminal(stream, { write: () => true }, { NO_COLOR: '1' });
    for (const piece of pieces) own.outText(piece);
    own.out('\n');
    return written;
  };
  const pieces = fc.array(hostile, { maxLength: 5 });

  it('is escaped on a screen, wherever a piece ends', async () => {
    await property(pieces, texts => {
      const shown = write(texts, true);
      expect(strangers(shown)).toEqual([]);
      expect(shown).toBe(write([texts.join('')], true));
      expect(shown).toBe(write(texts.join('').split(''), true));
    });
  });
  it('keeps characters that two pieces share, and lines of Windows', () => {
    expect(write(['a\uD83D', '\uDE42\r', '\nb\u001B', '[31m'], true)).toBe('a🙂\nb\\u001b[31m\n');
  });
  it('passes unchanged into a file or a pipe', async () => {
    await property(pieces, texts => {
      expect(write(texts, false)).toBe(`${texts.join('')}\n`);
    });
  });
  it('is what generate writes, its prompt included', async () => {
    const prompt = 'a\u001B]0;x\u0007\u202E\u009B31m';
    const flags = ['generate', '--model', at('model'), '--backend', 'cpu', '--max-new-tokens', '24', '--seed', '3', '--prompt', prompt]; // prettier-ignore
    const [screen, pipe] = [fakeTerminal({ isInteractive: true }), fakeTerminal()];
    for (const own of [screen, pipe]) {
      expect(await runCommandLine({ commands, version: '0', args: flags, terminal: own })).toBe(0);
    }
    expect(pipe.written.out.startsWith(prompt)).toBe(true);
    expect(strangers(screen.written.out)).toEqual([]);
    expect(screen.written.out).toBe(escapeControls(pipe.written.out.replaceAll('\r\n', '\n')));
  });
});

describe('the command', () => {
  it('shows tensors and metadata of a file', async () => {
    await property(whole, async text => {
      const values = { dtype: 'F32' as const, shape: [1], data: new Uint8Array(4) };
      writeFileSync(at('x.safetensors'), encodeSafetensors(new Map([[text, values]]), { metadata: { [text]: text } }));
      await run('inspect', at('x.safetensors'));
      const { code, out } = await run('inspect', at('x.safetensors'), '--json');
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ metadata: { [text]: text }, tensors: [{ name: text }] });
    }, 30); // prettier-ignore
  });
  it('shows configurations of adapters and models', async () => {
    mkdirSync(at('odd'), { recursive: true });
    const values = { dtype: 'F32' as const, shape: [1], data: new Uint8Array(4) };
    writeFileSync(at('odd/adapter_model.safetensors'), encodeSafetensors(new Map([['a', values]])));
    await property(fc.tuple(fc.constantFrom('LORA', 'IA3', 'X'), hostile), async ([method, text]) => {
      const config = { peft_type: method, base_model_name_or_path: text, target_modules: [text], rank_pattern: { [text]: text }, bias: text, peft_version: text, [text]: text }; // prettier-ignore
      writeFileSync(at('odd/adapter_config.json'), JSON.stringify(config));
      await run('inspect', at('odd'));
      writeFileSync(at('odd/adapter_config.json'), JSON.stringify({ ...config, peft_type: text }));
      await run('inspect', at('odd'));
      expect((await run('generate', '--model', at('model'), '--adapter', at('odd'), '--prompt', 'a', '--backend', 'cpu')).code).not.toBe(0); // prettier-ignore
    }, 15); // prettier-ignore
  });
  it('names paths, flags and commands', async () => {
    await property(hostile, async text => {
      await run(text);
      await run('inspect', at(text));
      await run('inspect', 'a', text);
      await run('train', `--${text}`);
      await run('train', '--model', at('model'), '--data', at(`${text}.txt`), '--out', at('out'), '--dry-run');
      await run('generate', '--model', at(text), '--prompt', 'x');
    }, 20); // prettier-ignore
  });
  it('says what a hub answers', async () => {
    const listing = (text: string): object[] => [{ type: 'file', path: text, size: 1, oid: text }];
    await property(whole, async text => {
      const latin = text.replaceAll(/[^\u0080-\u009F]/g, '').padStart(1, '\u009B');
      const answers = [
        new Response('', { status: 403, headers: { 'x-error-message': latin } }),
        new Response(JSON.stringify({ sha: 'a'.repeat(40), siblings: listing(text) })),
        new Response(JSON.stringify(listing(text))),
        new Response(text),
      ];
      for (const answer of answers) {
        vi.stubGlobal('fetch', () => Promise.resolve(answer.clone()));
        const { code } = await run('generate', '--model', 'some/model-that-is-not-cached', '--prompt', 'x');
        expect(code).not.toBe(0);
      }
    }, 10); // prettier-ignore
  });
  it('shows rows, columns and templates', async () => {
    const dryRun = ['train', '--model', at('model'), '--backend', 'cpu', '--batch', '1', '--steps', '1', '--time', '16', '--out', at('out'), '--dry-run']; // prettier-ignore
    const odd = '\u001B]0;x\u0007\u202E\u009B2J\u007F';
    const rows: Record<string, object> = {
      texts: { text: `a${odd}b` },
      pairs: { prompt: odd, completion: odd },
      unknown: { [odd]: odd, [`${odd}2`]: odd },
    };
    for (const [name, row] of Object.entries(rows)) {
      writeFileSync(at(`${name}.jsonl`), `${JSON.stringify(row)}\n`.repeat(4));
      const { code, out, notes } = await run(...dryRun, '--data', at(`${name}.jsonl`));
      expect(code, notes).toBe(name === 'unknown' ? 2 : 0);
      expect(out + notes).toContain(String.raw`\u001b]0;x\u0007\u202e\u009b2J\u007f`);
    }
    writeFileSync(at('chat.jsonl'), `${JSON.stringify({ messages: [{ role: 'user', content: odd }, { role: 'assistant', content: odd }] })}\n`); // prettier-ignore
    for (const template of [`{{ raise_exception('${odd}') }}`, `{{ ${odd} }}`, `${odd}{% for m in messages %}{{ m.content }}{% endfor %}`]) {
      writeFileSync(at('model/chat_template.jinja'), template);
      await run(...dryRun, '--data', at('chat.jsonl'));
    }
    rmSync(at('model/chat_template.jinja'));
  }, 60_000); // prettier-ignore
  it('passes on what libraries write to the console', () => {
    const before = { ...console };
    const written: string[] = [];
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(text => written.push(String(text)) > 0);
    try {
      processTerminal();
      console.warn('a %s', '\u001B]0;x\u0007', { key: '\u009B' });
      console.log('\u202E');
    } finally {
      Object.assign(console, before);
      stderr.mockRestore();
    }
    expect(strangers(written.join(''))).toEqual([]);
    expect(written.join('')).toContain(String.raw`a \u001b]0;x\u0007`);
  });
  it('prints errors of any kind', async () => {
    const kinds: ((text: string) => Error)[] = [
      text => problem('cli', { what: text, got: text, expected: text, fix: text }),
      text => Object.assign(new Error(text), { code: 'EIO', syscall: text }),
      text => new TypeError(text),
    ];
    await property(hostile, async text => {
      for (const make of kinds) {
        const fail = command({ name: 'fail', summary: '', flags: {}, examples: [], run: () => Promise.reject<undefined>(make(text)) }); // prettier-ignore
        const own = fakeTerminal();
        await runCommandLine({ commands: [fail], version: '0', args: ['fail'], terminal: own });
        expectClean(own.written);
      }
    });
  });
});

describe('files that people read', () => {
  it('escapes in the page of a run', async () => {
    const plain = renderReport([fakeRun()]);
    await property(hostile, text => {
      const run = fakeRun();
      const page = renderReport([{ ...run, name: text, backend: text, model: { ...run.model, source: text }, options: { [text]: text }, samples: { prompt: text, texts: [{ step: 0, text }] } }]); // prettier-ignore
      expect(strangers(page)).toEqual(strangers(plain));
      const data = /id="chart-data">([^]*?)<\/script>/.exec(page)![1]!;
            expect(JSON.parse(data)).toHaveProperty('0.series.1.label', escapeControls(text));
    }, 30); // prettier-ignore
  });
  it('escapes in the log', async () => {
    await property(hostile, async text => {
      const { log } = await openRunLog(at('log.jsonl'), 0);
      log.observe({ type: 'sample', step: 0, text });
      log.close();
      expect(strangers(readFileSync(at('log.jsonl'), 'utf8'))).toEqual([]);
      const { past } = await openRunLog(at('log.jsonl'), 1).then(opened => (opened.log.close(), opened));
      expect(past).toEqual([{ type: 'sample', step: 0, text }]);
    }, 20); // prettier-ignore
  });
});
