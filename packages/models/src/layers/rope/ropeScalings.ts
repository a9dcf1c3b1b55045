import { problem } from '@dropbp/basics';
import { fixedRope, periods, plainFrequencies, type RopeScheme } from './ropeScheme.ts';

/** What a scaling of rotary positions reads. */
export interface ScalingReader {
  /** @throws Problem unless the key holds a number > 0 */
  positive(key: string): number;
  /** The same, undefined where the file says nothing. */
  optionalPositive(key: string): number | undefined;
  boolean(key: string, fallback: boolean): boolean;
  /** As many numbers > 0 as values turn two by two. */
  factors(key: string): readonly number[];
  /** `rope_theta` */
  readonly theta: number;
  /** Values of a head that turn. */
  readonly turned: number;
  /** `max_position_embeddings` of the model. */
  readonly maxPositions: number;
}

/** A way in which a model handles texts longer than those that it was first trained on. */
export interface RopeScaling {
  /** Keys besides those that every scaling may have. */
  readonly keys: readonly string[];
  readonly make: (p: ScalingReader) => RopeScheme;
}

const ORIGINAL = 'original_max_position_embeddings';

/** By `rope_type`. Source: modeling_rope_utils.py of transformers 5.24, and the papers that each names. */
export const ropeScalings: Readonly<Record<string, RopeScaling>> = {
  default: { keys: [], make: p => fixedRope(plainFrequencies(p.theta, p.turned)) },
  linear: {
    keys: ['factor'],
    make: p => fixedRope(plainFrequencies(p.theta, p.turned).map(frequency => frequency / p.positive('factor'))),
  },
  llama3: { keys: ['factor', 'low_freq_factor', 'high_freq_factor', ORIGINAL], make: stretchLowFrequencies },
  dynamic: { keys: ['factor', ORIGINAL], make: growWithLength },
  yarn: {
    keys: ['factor', ORIGINAL, 'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate'],
    make: yarn,
  },
  longrope: { keys: ['factor', ORIGINAL, 'attention_factor', 'short_factor', 'long_factor'], make: longRope },
};

/** Llama 3: high frequencies stay, low ones are divided by the factor, those in between are blended. */
function stretchLowFrequencies(p: ScalingReader): RopeScheme {
  const factor = p.positive('factor');
  const low = p.positive('low_freq_factor');
  const high = p.positive('high_freq_factor');
  const oldLength = p.positive(ORIGINAL);
  const stretched = plainFrequencies(p.theta, p.turned).map(frequency => {
    const turns = (oldLength * frequency) / (2 * Math.PI); // within the length that the model was first trained at
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const blend = (turns - low) / (high - low);
    return ((1 - blend) * frequency) / factor + blend * frequency;
  });
  return fixedRope(stretched);
}

/** Dynamic NTK: texts longer than the model's positions turn more slowly, the longer the more. */
function growWithLength(p: ScalingReader): RopeScheme {
  const factor = p.positive('factor');
  if (p.turned < 4) {
    throw problem('models', {
      what: "config.json: heads are too small for a scaling of type 'dynamic'",
      got: p.turned,
      expected: 'at least 4 values that turn',
    });
  }
  const frequencies = (length: number): readonly number[] => {
    const growth = (factor * Math.max(length, p.maxPositions)) / p.maxPositions - (factor - 1);
    return plainFrequencies(p.theta * growth ** (p.turned / (p.turned - 2)), p.turned);
  };
  return { frequencies, tableScale: 1, changesBeyond: p.maxPositions, longest: Math.floor(factor * p.maxPositions) };
}

/** Source: Peng et al., "YaRN", 2023. */
function yarn(p: ScalingReader): RopeScheme {
  const { theta, turned, maxPositions } = p;
  const original = p.positive(ORIGINAL);
  const factor = p.optionalPositive('factor') ?? maxPositions / original;
  const [mscale, allDimensions] = [p.optionalPositive('mscale'), p.optionalPositive('mscale_all_dim')];
  const temperature = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const byDefault = mscale && allDimensions ? temperature(mscale) / temperature(allDimensions) : temperature(1);
  /** The pair that turns so many times within the original length. */
  const pairOf = (turns: number): number =>
    (turned * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const ends = [pairOf(p.optionalPositive('beta_fast') ?? 32), pairOf(p.optionalPositive('beta_slow') ?? 1)] as const;
  const [first, last] = p.boolean('truncate', true) ? [Math.floor(ends[0]), Math.ceil(ends[1])] : ends;
  const [low, high] = [Math.max(first, 0), Math.min(last, turned - 1)];
  const span = low === high ? 0.001 : high - low;
  const blended = periods(theta, turned).map((period, i) => {
    // Rounded step by step as transformers does: one unit in the last place is 1e-4 of an angle at position 131,071.
    const kept = Math.fround(1 - Math.min(Math.max(Math.fround((i - low) / span), 0), 1));
    const [plain, slow] = [Math.fround(1 / period), Math.fround(1 / Math.fround(factor * period))];
    return Math.fround(Math.fround(slow * Math.fround(1 - kept)) + Math.fround(plain * kept));
  });
  return fixedRope(blended, p.optionalPositive('attention_factor') ?? byDefault);
}

/** Source: Ding et al., "LongRoPE", 2024. Divisors of their own for texts that are longer than the original length. */
function longRope(p: ScalingReader): RopeScheme {
  const original = p.positive(ORIGINAL);
  const factor = p.optionalPositive('factor') ?? p.maxPositions / original;
  const byDefault = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const [short, long] = ['short_factor', 'long_factor'].map(key => {
    const divisors = p.factors(key);
    return periods(p.theta, p.turned).map((period, i) =>
      Math.fround(1 / Math.fround(Math.fround(divisors[i]!) * period)),
    );
  });
  return {
    frequencies: length => (length > original ? long! : short!),
    tableScale: p.optionalPositive('attention_factor') ?? byDefault,
    changesBeyond: original,
  };
}
