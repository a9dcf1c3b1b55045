import { problem } from '@dropbp/basics';

/** @param room - tokens that the model has positions for, beside those that an adapter takes. @throws Problem for more */
export function checkTime(time: number, room: number): void {
  if (time <= room) return;
  throw problem('cli', {
    what: '--time is longer than the model has positions for',
    got: time,
    expected: `at most ${room}`,
  });
}
