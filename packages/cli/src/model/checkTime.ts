import { problem } from '@dropbp/basics';

/**
 * @param time - undefined where none was asked for
 * @param room - tokens that the model has positions for, beside those that an adapter takes
 * @throws Problem for more, and where there is no room for a text at all
 */
export function checkTime(time: number | undefined, room: number): void {
  // One token alone predicts none.
  if (room < 2) {
    throw problem('cli', {
      what: 'the virtual tokens of the adapter leave no position of the model for a text',
      got: `room for ${Math.max(0, room)}`,
      fix: 'give a smaller --num-virtual-tokens',
    });
  }
  if (time === undefined || time <= room) return;
  throw problem('cli', {
    what: '--time is longer than the model has positions for',
    got: time,
    expected: `at most ${room}`,
  });
}
