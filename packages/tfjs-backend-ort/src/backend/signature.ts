import type { InputInfo, Inputs } from '../kernels/kernel.ts';

/** What a call's session depends on: types and shapes of the inputs and all attributes. Equal calls have equal signatures. */
export function signature(name: string, inputs: Inputs<InputInfo>, attrs: object): string {
  const parts = Object.entries(inputs).map(
    ([key, { dtype, shape }]: [string, InputInfo]) => `${key}:${dtype}[${shape.join()}]`,
  );
  return `${name}|${parts.join()}|${JSON.stringify(attrs, exactNumbers)}`;
}

/** JSON has no infinities, no NaN and no −0: they would all look alike. */
function exactNumbers(_: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
}
