import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellWord } from './shellWord.ts';

describe('shellWord', () => {
  it.each([
    ['out/a-b', 'out/a-b'],
    ["it's", String.raw`'it'\''s'`],
    ['a\nb', String.raw`$'a\nb'`],
    ["it's \\ a\tb\n\u001B", String.raw`$'it\'s \\ a\tb\n\u001b'`],
  ])('%j', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
  it.runIf(process.platform !== 'win32')('is what bash reads as the text', () => {
    const text = "a\n'b' \\n $HOME `x` \t é";
    expect(execFileSync('bash', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text);
  });
});
