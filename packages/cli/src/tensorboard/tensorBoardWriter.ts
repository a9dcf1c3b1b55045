import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { escapeControls } from '@dropbp/basics';
import type { RunEvent } from '../record/runEvent.ts';
import type { RunObserver } from '../record/runObserver.ts';
import { writeAll } from '../record/writeAll.ts';
import { restartRecord, scalarsRecord, textRecord, versionRecord } from './eventRecord.ts';

/**
 * Writes what happens in a run into a file that TensorBoard reads, each record at once.
 *
 * @param folder - made where it is missing
 * @param suffix - what the name of the file ends with
 * @param firstStep - of this life of the run: what TensorBoard has read of it and of later ones before is void
 */
export function tensorBoardWriter(
  folder: string,
  firstStep: number,
  { now = Date.now, suffix = '' }: { readonly now?: () => number; readonly suffix?: string } = {},
): RunObserver {
  mkdirSync(folder, { recursive: true });
  const seconds = (): number => now() / 1000;
  // TensorBoard reads files in the order of their names.
  const name = `events.out.tfevents.${Math.floor(now())}.${hostname()}.${process.pid}${suffix}`;
  const file = openSync(join(folder, name), 'a');
  const write = (record: Uint8Array): void => writeAll(file, record);
  write(versionRecord({ wallTime: seconds() }));
  if (firstStep > 1) write(restartRecord({ wallTime: seconds(), step: firstStep }));
  return {
    observe(event) {
      const at = { wallTime: seconds(), step: event.step };
      if (event.type === 'sample') write(textRecord(at, 'sample', escapeControls(event.text)));
      else write(scalarsRecord(at, scalarsOf(event)));
    },
    flush: () => fsyncSync(file),
    close: () => closeSync(file),
  };
}

function scalarsOf(event: Exclude<RunEvent, { type: 'sample' }>): Record<string, number> {
  if (event.type === 'heldOut') return { 'held_out/loss': event.loss };
  const { loss, learningRate, gradientNorm, dropped, tokens, seconds, memoryBytes } = event;
  return {
    'train/loss': loss,
    'train/learning_rate': learningRate,
    ...(gradientNorm !== null && { 'train/gradient_norm': gradientNorm }),
    'train/dropped_share': dropped,
    'speed/seconds_per_step': seconds,
    ...(seconds > 0 && { 'speed/tokens_per_second': tokens / seconds }),
    'memory/resident_bytes': memoryBytes,
  };
}
