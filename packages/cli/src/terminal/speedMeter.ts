/** How fast steps pass. */
export interface SpeedMeter {
  add(timeMs: number, step: number, tokens: number): void;
  tokensPerSecond(): number;
  secondsPerStep(): number | undefined;
}

/** Speed over the last quarter minute: early steps compile, and what was slow once shall not count for ever. */
export function speedMeter(startMs: number): SpeedMeter {
  const windowMs = 15_000;
  let tokens = 0;
  const marks = [{ timeMs: startMs, step: 0, tokens: 0 }];
  const span = () => ({ first: marks[0]!, last: marks[marks.length - 1]! });
  return {
    add(timeMs, step, added) {
      tokens += added;
      marks.push({ timeMs, step, tokens });
      while (marks.length > 2 && timeMs - marks[1]!.timeMs > windowMs) marks.shift();
    },
    tokensPerSecond() {
      const { first, last } = span();
      return last.timeMs > first.timeMs ? ((last.tokens - first.tokens) / (last.timeMs - first.timeMs)) * 1000 : 0;
    },
    secondsPerStep() {
      const { first, last } = span();
      return last.step > first.step ? (last.timeMs - first.timeMs) / 1000 / (last.step - first.step) : undefined;
    },
  };
}
