import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fakeTerminal } from '../../../test/fakeTerminal.ts';
import { displayWidth } from '../paint.ts';
import { progressBar } from './progressBar.ts';
import { statusLine } from '../statusLine.ts';

const clear = '\r\u001B[2K';

/** A bar on a fake clock: each step takes half a second. */
function start(terminal = fakeTerminal({ isInteractive: true }), total = 20) {
  let nowMs = 1000;
  const bar = progressBar({ terminal, total, label: 'LoRA', now: () => nowMs });
  const step = (number: number, dropped?: number): void => {
    nowMs += 500;
    bar.update({ step: number, loss: 3, tokens: 1024, seconds: 0.5, ...(dropped !== undefined && { dropped }) });
  };
  return { bar, step, terminal, wait: (ms: number) => void (nowMs += ms) };
}

describe('progressBar', () => {
  it('draws itself again on a terminal', () => {
    const { bar, step, terminal } = start();
    for (let i = 1; i <= 10; i++) step(i, 0.5);
    const lines = terminal.written.notes.split(clear);
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe('LoRA ━━━━━━──────  10/20  loss 3.000   2,048 tokens/s   0:05 left  dropped 50 %');
    expect(terminal.written.notes).not.toContain('\n');
    for (let i = 11; i <= 20; i++) step(i, 0.5);
    bar.stop();
    bar.stop();
    const end = 'LoRA ━━━━━━━━━━━━  20/20  loss 3.000   2,048 tokens/s   0:10 done  dropped 50 %\n';
    expect(terminal.written.notes.split(clear).at(-1)).toBe(end);
  });
  it('lets notes stand above it', () => {
    const { bar, step, terminal } = start();
    bar.note('before\n');
    step(1);
    bar.note('step 1: well\n');
    const [, before, first, note, again] = terminal.written.notes.split(clear);
    expect([before, note]).toEqual(['before\n', 'step 1: well\n']);
    expect(again).toBe(first);
  });
  it('does not draw faster than an eye sees', () => {
    const { bar, terminal } = start();
    for (let step = 1; step < 20; step++) bar.update({ step, loss: 3, tokens: 1, seconds: 0.001 });
    expect(terminal.written.notes.split(clear)).toHaveLength(2);
  });
  it('writes a line for each tenth elsewhere', () => {
    const { step, terminal } = start(fakeTerminal());
    for (let i = 1; i <= 20; i++) step(i);
    const lines = terminal.written.notes.trimEnd().split('\n');
    expect(lines.map(line => /(\d+)\/20/.exec(line)?.[1])).toEqual([
      '1',
      '2',
      '4',
      '6',
      '8',
      '10',
      '12',
      '14',
      '16',
      '18',
      '20',
    ]);
    expect(lines[5]).toBe('LoRA 10/20  loss 3.000   2,048 tokens/s   0:05 left');
    expect(terminal.written.notes).not.toContain('\r');
  });
  it('shows that slow steps go on', () => {
    const { step, wait, terminal } = start(fakeTerminal(), 1000);
    for (let i = 1; i <= 3; i++) {
      step(i);
      wait(31_000);
    }
    expect(terminal.written.notes.trimEnd().split('\n')).toHaveLength(3);
  });
  it('fits any width', () => {
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 300 }), fc.boolean(), (columns, notesHaveColor) => {
        const { step, terminal } = start(fakeTerminal({ isInteractive: true, columns, notesHaveColor }));
        step(7, 0.25);
        const line = terminal.written.notes.split(clear).at(-1)!;
        expect(displayWidth(line.replaceAll(/\u001B\[\d+m/g, ''))).toBeLessThan(columns);
        expect(line).toContain('7/20');
      }),
    );
  });
  it('rather shows all that matters than its label, on eighty columns', () => {
    const terminal = fakeTerminal({ isInteractive: true });
    const bar = progressBar({ terminal, total: 150, label: 'LoRA + DropBP 0.5', now: () => 1000 });
    const measured = { learningRate: 1e-3, memoryBytes: 2 ** 29, dropped: 0.5 };
    bar.update({ step: 75, loss: 3, tokens: 2048, seconds: 0.5, ...measured });
    expect(terminal.written.notes).toBe(
      `${clear}━━━━────   75/150  loss 3.000   4,096 tokens/s   0:00 left   512 MiB  lr 1.0e-3`,
    );
  });
  it('knows no time left before the second step has a speed', () => {
    const { bar, terminal } = start();
    bar.update({ step: 1, loss: 3, tokens: 5, seconds: 0 });
    expect(terminal.written.notes).toContain('0 tokens/s');
  });
});

describe('statusLine', () => {
  it('is drawn again on a terminal and taken away', () => {
    const terminal = fakeTerminal({ isInteractive: true, columns: 20 });
    const status = statusLine(terminal);
    status.show('Loading a', '1 of 2 tensors');
    status.clear();
    status.clear();
    expect(terminal.written.notes).toBe(`${clear}Loading a 1 of 2 te${clear}`);
  });
  it('is one line each elsewhere', () => {
    const terminal = fakeTerminal();
    const status = statusLine(terminal);
    status.show('Loading a', '1 of 2');
    status.show('Loading a', '2 of 2');
    status.show('Measuring');
    status.clear();
    expect(terminal.written.notes).toBe('Loading a …\nMeasuring …\n');
  });
});
