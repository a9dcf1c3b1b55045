import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatLarge, formatSeconds, formatShare } from './formatNumber.ts';
import { clearLine, cutToWidth, displayWidth, paint, renderText, styled, wrapped, type Styled } from './paint.ts';
import { styledTable } from './table.ts';
import { terminal } from './terminal.ts';

const colorful = { hasColor: true, isInteractive: true };

describe('terminal', () => {
  const screen = { write: () => true, isTTY: true, columns: 120 };
  const pipe = { write: () => true };
  const colors = (env: Record<string, string>, stream: typeof pipe = screen) =>
    terminal(stream, stream, env).outHasColor;

  it('has colours on a screen, unless the user does not want them', () => {
    expect(colors({})).toBe(true);
    expect(colors({ NO_COLOR: '1' })).toBe(false);
    expect(colors({ NO_COLOR: '' })).toBe(true);
    expect(colors({ TERM: 'dumb' })).toBe(false);
    expect(colors({}, pipe)).toBe(false);
    expect(colors({ FORCE_COLOR: '1' }, pipe)).toBe(true);
    expect(colors({ FORCE_COLOR: '0' })).toBe(false);
    expect(colors({ FORCE_COLOR: '1', NO_COLOR: '1' }, pipe)).toBe(false);
  });
  it('draws lines again only on a screen', () => {
    expect(terminal(pipe, screen, {})).toMatchObject({ isInteractive: true, columns: 120 });
    expect(terminal(screen, pipe, {})).toMatchObject({ isInteractive: false, columns: 80 });
    expect(terminal(screen, screen, { TERM: 'dumb' }).isInteractive).toBe(false);
  });
  it('breaks long lines of notes between words on a screen, and commands and pipes not at all', () => {
    const write = (stream: object, method: 'out' | 'notes', text: Styled): string => {
      let written = '';
      const target = { ...stream, write: (more: string) => (written += more) };
      terminal(target, target, { FORCE_COLOR: '1' })[method](text);
      return written;
    };
    const narrow = { isTTY: true, columns: 24 };
    const long = 'one two three four five six';
    expect(write(narrow, 'notes', `${long}\n`)).toBe('one two three four five\nsix\n');
    expect(write({}, 'notes', `${long}\n`)).toBe(`${long}\n`);
    expect(write(narrow, 'notes', `  ${long}\n`)).toBe(`  ${long}\n`);
    expect(write(narrow, 'notes', [clearLine, long])).toBe('\r\u001B[2Kone two three four five\nsix');
    expect(write(narrow, 'notes', paint('dim', long))).toBe('\u001B[2mone two three four five\u001B[22m\n\u001B[2msix\u001B[22m');
    expect(write(narrow, 'notes', '日本語 日本語 日本語 日本語\n')).toBe('日本語 日本語 日本語\n日本語\n');
    expect(write(narrow, 'notes', `/a/${'b'.repeat(40)} c\n`)).toBe(`/a/${'b'.repeat(40)}\nc\n`);
    expect(write(narrow, 'out', `${long}\n`)).toBe(`${long}\n`);
    const field = styled`x:  ${wrapped(long, 4)}\n`;
    expect(write({ isTTY: true, columns: 28 }, 'out', field)).toBe('x:  one two three four five\n    six\n');
    expect(write({}, 'out', field)).toBe(`x:  ${long}\n`);
    expect(write(narrow, 'out', wrapped(`a\nb ${long}`))).toBe('a\\u000ab one two three\nfour five six');
  }); // prettier-ignore
  it('does not count colour codes as width', () => {
    expect(renderText(paint('red', 'né'), colorful)).toBe('\u001B[31mné\u001B[39m');
    expect(displayWidth(paint('red', 'né'))).toBe(2);
    expect(renderText(paint('red', 'né'))).toBe('né');
  });
  it.each([['日本語', 6], ['한국', 4], ['Ａ１', 4], ['ｱｲ', 2], ['「、。ー', 8], ['a·b…─', 5], ['🙂', 2], ['❤️☺', 3], ['👩‍👩‍👧', 2], ['🇩🇪', 2]])(
    'counts the columns of %s: %d',
    (text, width) => {
      expect(displayWidth(text)).toBe(width);
    },
  ); // prettier-ignore
  it('cuts between characters', () => {
    expect([3, 4, 5, 9].map(columns => cutToWidth('a日本x', columns))).toEqual(['a日', 'a日', 'a日本', 'a日本x']);
  });
});

describe('table', () => {
  it('aligns text to the left and numbers to the right', () => {
    const rows = [
      ['LoRA', '3.065', '48.2 s'],
      ['LoRA + DropBP', '3.1', '9 s'],
    ];
    expect(renderText(styledTable({ header: ['run', 'loss', 'time'], rows }))).toBe(
      [
        'run              loss     time',
        '──────────────────────────────',
        'LoRA            3.065   48.2 s',
        'LoRA + DropBP     3.1      9 s',
        '',
      ].join('\n'),
    );
  });
  it('has straight columns of wide characters', () => {
    expect(renderText(styledTable({ header: ['run', 'n'], rows: [['実験', '1'], ['ab', '2']] }))).toBe(
      ['run    n', '────────', '実験   1', 'ab     2', ''].join('\n'),
    ); // prettier-ignore
  });
  it('stands when rows are short or missing', () => {
    expect(renderText(styledTable({ header: ['a', 'b'], rows: [['x']] }))).toBe('a   b\n─────\nx\n');
    expect(renderText(styledTable({ header: ['a', 'b'], rows: [] }))).toBe('a   b\n─────\n');
  });
});

describe('numbers', () => {
  it.each([
    [formatCount(3064320), '3,064,320'],
    [formatLarge(999), '999'],
    [formatLarge(999_900), '1 M'],
    [formatLarge(3064320), '3.06 M'],
    [formatLarge(7e9), '7 B'],
    [formatBytes(0), '0 B'],
    [formatBytes(134217728), '128 MiB'],
    [formatBytes(1023 * 1024), '0.999 MiB'],
    [formatBytes(5.84 * 2 ** 20), '5.84 MiB'],
    [formatDuration(75.4), '1:15'],
    [formatDuration(3661), '1:01:01'],
    [formatDuration(NaN), '–:––'],
    [formatSeconds(1.234), '1.23 s'],
    [formatSeconds(48.21), '48.2 s'],
    [formatSeconds(119.7), '2 min 0 s'],
    [formatShare(0.5234), '52 %'],
  ])('%s', (shown, expected) => {
    expect(shown).toBe(expected);
  });
});
