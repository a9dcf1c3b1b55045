import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunEvent } from './runEvent.ts';
import { openRunLog, readRunLog } from './runLog.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dropbp-log-'));
  path = join(folder, 'log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const events: RunEvent[] = [
  { type: 'heldOut', step: 0, loss: 5 },
  { type: 'sample', step: 0, text: 'a\nb “ü”' },
  { type: 'heldOut', step: 2, loss: 4 },
  { type: 'heldOut', step: 3, loss: 3 },
];

describe('the log of a run', () => {
  it('has each event on the disk at once, a line each', async () => {
    const { past, log } = await openRunLog(path, 0);
    expect(past).toEqual([]);
    for (const [i, event] of events.entries()) {
      log.observe(event);
      expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(i + 2);
    }
    log.close();
    expect(await readRunLog(path)).toEqual(events);
  });
  it('goes on from a step, and forgets what came after it and what was cut off', async () => {
    const first = await openRunLog(path, 0);
    events.forEach(event => first.log.observe(event));
    first.log.close();
    appendFileSync(path, '{"type":"heldOut","st');
    const second = await openRunLog(path, 2);
    expect(second.past).toEqual(events.slice(0, 3));
    second.log.observe({ type: 'heldOut', step: 3, loss: 3.5 });
    second.log.close();
    expect(await readRunLog(path)).toEqual([...events.slice(0, 3), { type: 'heldOut', step: 3, loss: 3.5 }]);
    expect(readdirSync(folder)).toEqual(['log.jsonl']);
  });
  it('of a run that begins forgets all', async () => {
    writeFileSync(path, 'nonsense');
    const { past, log } = await openRunLog(path, 0);
    log.close();
    expect([past, readFileSync(path, 'utf8')]).toEqual([[], '']);
  });
  it('is nothing where there is none, and names a line that it cannot read', async () => {
    expect(await readRunLog(path)).toEqual([]);
    const good = JSON.stringify(events[0]);
    for (const bad of [
      '',
      'x',
      '[]',
      '{"type":"heldOut","step":3}',
      '{"type":"other","step":3,"loss":1}',
      '{"loss":1}',
    ]) {
      writeFileSync(path, `${good}\n${bad}\n${good}\n`);
      await expect(readRunLog(path)).rejects.toThrow(`${path}:2 is no event of a run`);
    }
  });
});
