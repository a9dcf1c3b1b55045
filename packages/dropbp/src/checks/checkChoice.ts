import { nearNames, problem } from '@dropbp/basics';

/** @throws Problem naming the nearest choices when `value` is none of `choices` */
export function checkChoice(name: string, value: unknown, choices: readonly (string | boolean)[]): void {
  if (choices.includes(value as string | boolean)) return;
  const near =
    typeof value === 'string'
      ? nearNames(
          value,
          choices.filter(choice => typeof choice === 'string'),
          1,
        )
      : [];
  throw problem('dropbp', {
    what: `${name} is unknown`,
    got: value,
    expected: `one of ${choices.join(', ')}`,
    ...(near.length > 0 && { fix: `did you mean '${near[0]!}'?` }),
  });
}
