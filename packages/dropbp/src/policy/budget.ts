import { checkNumber, problem, ranges } from '@dropbp/basics';

/** What a policy aims at. Exactly one of them. */
export interface Budget {
  /** Share of the branches' backward pass to drop, in [0, 1). */
  readonly rate?: number;
  /** Share of a step's FLOPs to save, in (0, 1). */
  readonly timeSaved?: number;
  /** Bytes that a step may use at most. */
  readonly memory?: number;
}

/** @throws Problem where none or several are given, or one is out of range */
export function readBudget(options: {
  readonly rate?: unknown;
  readonly timeSaved?: unknown;
  readonly memory?: unknown;
}): Budget {
  const given = (['rate', 'timeSaved', 'memory'] as const).filter(name => options[name] !== undefined);
  if (given.length > 1) {
    throw problem('dropbp', {
      what: `${given.join(' and ')} are given`,
      expected: 'one of rate, timeSaved and memory, from which the rate follows',
    });
  }
  const { rate, timeSaved, memory } = options;
  if (timeSaved !== undefined) {
    const isShare = (v: number): boolean => v > 0 && v < 1;
    checkNumber(
      'dropbp',
      'timeSaved',
      timeSaved,
      { accepts: isShare, expected: 'a number in (0, 1)' },
      'start with timeSaved: 0.25',
    );
    return { timeSaved };
  }
  if (memory !== undefined) return { memory: readBytes(memory) };
  if (given.length === 0) {
    throw problem('dropbp', {
      what: 'how much to drop is not said',
      expected: 'one of rate, timeSaved and memory',
      fix: 'start with rate: 0.5',
    });
  }
  checkNumber('dropbp', 'rate', rate, ranges.shareBelowOne, 'start with rate: 0.5');
  return { rate };
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** `'4GiB'` or a count of bytes, which a text may hold as well → bytes. @throws Problem for anything else */
export function readBytes(memory: unknown): number {
  const text = typeof memory === 'string' ? memory.trim() : '';
  // Without a unit it is a count of bytes, if it is long enough to be one: '4' has lost its unit.
  const [, size, unit = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(/^\d{7,}$/.test(text) ? `${text}B` : text) ?? [];
  const bytes = Object.hasOwn(units, unit) ? Math.floor(Number(size) * units[unit]!) : memory;
  if (typeof bytes === 'number' && bytes > 0 && Number.isFinite(bytes)) return bytes;
  throw problem('dropbp', {
    what: 'memory is not usable',
    got: memory,
    expected: `bytes, or a number with one of ${Object.keys(units).join(', ')}, such as '4GiB'`,
  });
}
