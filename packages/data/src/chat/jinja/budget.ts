import { JinjaError } from './parse/lexer.ts';

/** The longest text or list that a template may make. */
export const MAX_LENGTH = 2 ** 25;

/** The most work of one rendering: a step is a part of an expression or 16 characters or items that are made or read. */
const MAX_STEPS = 10_000_000;

/** The deepest call of macros in macros. */
const MAX_CALLS = 100;

/** What a rendering may still cost. A template is code from elsewhere. */
export class Budget {
  private steps = 0;
  private calls = 0;

  /** Counts steps. @throws JinjaError where there were too many */
  step(count = 1): void {
    this.steps += count;
    if (this.steps > MAX_STEPS) throw new JinjaError(`the template takes more than ${MAX_STEPS} steps`);
  }

  /** Counts characters or items that are about to be made or read. @throws JinjaError where there are too many */
  spend(length: number): void {
    if (!(length <= MAX_LENGTH)) throw new JinjaError(`the template makes a text or list longer than ${MAX_LENGTH}`);
    this.step(1 + length / 16);
  }

  /** Counts a text that was made, and gives it back. */
  made(text: string): string {
    this.spend(text.length);
    return text;
  }

  /** Runs a macro one call deeper. @throws JinjaError where calls nest too deeply */
  call<T>(run: () => T): T {
    if (this.calls >= MAX_CALLS) throw new JinjaError(`macros call one another more than ${MAX_CALLS} levels deep`);
    this.calls++;
    const result = run();
    this.calls--;
    return result;
  }
}
