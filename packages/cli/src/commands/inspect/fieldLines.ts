import { displayWidth, paint, styled, withinLine, wrapped, type Styled } from '../../terminal/paint.ts';

/** Names and values below each other; those without a value are left out. */
export function fieldLines(fields: readonly (readonly [name: string, value: Styled | undefined])[]): Styled {
  const shown = fields.flatMap(([name, value]) => {
    const title = withinLine(name);
    return value === undefined ? [] : [{ title, value, width: displayWidth(title) }];
  });
  const widest = shown.reduce((most, { width }) => Math.max(most, width), 0);
  return shown.map(
    ({ title, value, width }) =>
      styled`${paint('dim', [title, ' '.repeat(widest - width)])}  ${wrapped(value, widest + 2)}\n`,
  );
}
