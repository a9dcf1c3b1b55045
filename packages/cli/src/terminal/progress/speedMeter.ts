/** How fast steps pass. */
export interface SpeedMeter {
  /** @param seconds - of the step alone; the time between calls may hold other work as well */
  add(timeMs: number, step: { readonly step: number; readonly tokens: number; readonly seconds: number }): void;
  /** Of the steps alone. */
  tokensPerSecond(): number;
  /** With whatever goes on between steps: what the time left follows from. Undefined before the first step. */
  secondsPerStep(): number | undefined;
}

/** Speed over the last quarter minute: early steps compile, and what was slow once shall not count for ever. */
export function speedMeter(startMs: number, startStep = 0): SpeedMeter {
  const windowMs = 15_000;
  const marks = [{ timeMs: startMs, step: startStep, tokens: 0, seconds: 0 }];
  const span = () => ({ first: marks[0]!, last: marks.at(-1)! });
  return {
    add(timeMs, { step, tokens, seconds }) {
      const { last } = span();
      marks.push({ timeMs, step, tokens: last.tokens + tokens, seconds: last.seconds + seconds });
      while (marks.length > 2 && timeMs - marks[1]!.timeMs > windowMs) marks.shift();
    },
    tokensPerSecond() {
      const { first, last } = span();
      const seconds = last.seconds - first.seconds;
      return seconds > 0 ? (last.tokens - first.tokens) / seconds : 0;
    },
    secondsPerStep() {
      const { first, last } = span();
      return last.step > first.step ? (last.timeMs - first.timeMs) / 1000 / (last.step - first.step) : undefined;
    },
  };
}
