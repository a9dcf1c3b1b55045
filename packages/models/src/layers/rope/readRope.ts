import { checkOptions, problem } from '@dropbp/basics';
import type { RopeFrequencies } from '@dropbp/core';
import type { ConfigReader } from '../architectures/configReader.ts';

/** What the frequencies depend on besides the configuration's rope keys. */
interface RopeShape {
  readonly headSize: number;
  /** Where the file says nothing. */
  readonly defaultTheta: number;
  readonly maxPositions: number;
  /** Share of a head's values that turn, where the file says nothing. @defaultValue 1, and no other is supported */
  readonly defaultShare?: number;
}

type Parameters = Readonly<Record<string, unknown>>;

interface Scaling {
  /** Besides those that every scaling may have. */
  readonly keys: readonly string[];
  readonly scale: (plain: number[], p: ScalingReader) => number[];
}

/** How the plain frequencies are changed, by `rope_type`. */
const scalings: Readonly<Record<string, Scaling>> = {
  default: { keys: [], scale: plain => plain },
  linear: {
    keys: ['factor'],
    scale: (plain, p) => plain.map(frequency => frequency / p.positive('factor')),
  },
  llama3: {
    keys: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
    scale: stretchLowFrequencies,
  },
};

/**
 * The frequency of each pair of a head's values, from `rope_theta` and `rope_scaling`, or `rope_parameters` as
 * transformers 5 writes them.
 *
 * Source: Su et al., "RoFormer", 2021; the scalings, modeling_rope_utils.py of transformers 5.24.
 *
 * @throws Problem for a scaling that is not supported
 */
export function ropeFrequencies(reader: ConfigReader, shape: RopeShape): RopeFrequencies {
  const { headSize, defaultTheta, maxPositions, defaultShare = 1 } = shape;
  if (headSize > reader.limits.headSize) {
    throw problem('models', {
      what: 'config.json: a head is too large (head_dim, or the hidden size over the number of heads)',
      got: headSize,
      expected: `at most ${reader.limits.headSize}: ${reader.limits.reason}`,
    });
  }
  const topTheta = reader.number('rope_theta', defaultTheta);
  const topPartial = reader.number('partial_rotary_factor', defaultShare);
  const scaling = asParameters(reader.raw('rope_scaling'), 'rope_scaling');
  const parameters = asParameters(reader.raw('rope_parameters'), 'rope_parameters');
  // transformers takes the old key where a file has both.
  const [name, p] = Object.keys(scaling).length > 0 ? ['rope_scaling', scaling] : ['rope_parameters', parameters];

  const type = p.rope_type ?? p.type ?? 'default';
  const kind = typeof type === 'string' && Object.hasOwn(scalings, type) ? scalings[type] : undefined;
  if (kind === undefined) {
    throw problem('models', {
      what: `config.json: this scaling of rotary positions (${name}.rope_type) is not supported`,
      got: type,
      expected: `one of ${Object.keys(scalings).join(', ')}`,
    });
  }
  checkOptions('models', `${name} of type '${type as string}'`, p, [
    'rope_type',
    'type',
    'rope_theta',
    'partial_rotary_factor',
    ...kind.keys,
  ]);
  const share = p.partial_rotary_factor ?? topPartial;
  const turned = Math.trunc(headSize * Number(share));
  if (shape.defaultShare === undefined ? share !== 1 : !(turned > 0 && turned <= headSize && turned % 2 === 0)) {
    throw problem('models', {
      what: 'config.json: partial_rotary_factor is not supported',
      got: share,
      expected:
        shape.defaultShare === undefined
          ? '1, or no such key'
          : `a share of the ${headSize} values of a head, an even number`,
    });
  }
  const read = scalingReader(name, { original_max_position_embeddings: maxPositions, rope_theta: topTheta, ...p });
  return kind.scale(plainFrequencies(read.positive('rope_theta'), turned), read);
}

// Rounded as transformers does, in float32: at position 8000 one unit in the last place is 5e-4 of an angle.
function plainFrequencies(theta: number, turned: number): number[] {
  return Array.from({ length: turned / 2 }, (_, i) => {
    const exponent = Math.fround((2 * i) / turned);
    return Math.fround(1 / Math.fround(Math.fround(theta) ** exponent));
  });
}

/**
 * Llama 3: high frequencies stay, low ones are divided by the factor, those in between are blended.
 */
function stretchLowFrequencies(plain: number[], p: ScalingReader): number[] {
  const factor = p.positive('factor');
  const low = p.positive('low_freq_factor');
  const high = p.positive('high_freq_factor');
  const oldLength = p.positive('original_max_position_embeddings');
  return plain.map(frequency => {
    const turns = (oldLength * frequency) / (2 * Math.PI); // within the length that the model was first trained at
    if (turns < low) return frequency / factor;
    if (turns > high) return frequency;
    const blend = (turns - low) / (high - low);
    return ((1 - blend) * frequency) / factor + blend * frequency;
  });
}

interface ScalingReader {
  positive(key: string): number;
}

function scalingReader(name: string, parameters: Parameters): ScalingReader {
  return {
    positive(key) {
      const value = parameters[key];
      if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
      throw problem('models', {
        what: `config.json: ${name}.${key} is not usable`,
        got: value,
        expected: 'a number > 0',
      });
    },
  };
}

function asParameters(value: unknown, key: string): Parameters {
  if (value === null || value === undefined) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Parameters;
  throw problem('models', { what: `config.json: ${key} is not usable`, got: value, expected: 'an object, or null' });
}
