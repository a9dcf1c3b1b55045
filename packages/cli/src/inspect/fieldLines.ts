import { paint } from '../terminal/paint.ts';

/** Names and values below each other; those without a value are left out. */
export function fieldLines(fields: readonly (readonly [string, string | undefined])[], hasColor: boolean): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint('dim', name.padEnd(width), hasColor)}  ${value}\n`).join('');
}
