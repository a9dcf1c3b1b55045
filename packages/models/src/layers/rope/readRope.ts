import { checkOptions, problem } from '@dropbp/basics';
import type { ConfigReader } from '../../architectures/configReader.ts';
import type { RopeScheme } from './ropeScheme.ts';
import { ropeScalings, type ScalingReader } from './ropeScalings.ts';

/** What the frequencies depend on besides the configuration's rope keys. */
export interface RopeShape {
  readonly headSize: number;
  /** Where the file says nothing. */
  readonly defaultTheta: number;
  readonly maxPositions: number;
  /** Share of a head's values that turn, where the file says nothing. @defaultValue 1, and no other is supported */
  readonly defaultShare?: number | undefined;
  /** Names of scalings that the architecture has besides those of all: `{ su: 'longrope' }`. */
  readonly otherNames?: Readonly<Record<string, string>> | undefined;
  /** Keys beside those of the scaling, which the architecture reads itself. */
  readonly otherKeys?: readonly string[] | undefined;
}

/** The keys of one scaling, as the file has them. */
export type RopeParameters = Readonly<Record<string, unknown>>;

/**
 * How positions are encoded, from `rope_theta` and `rope_scaling`, or `rope_parameters` as transformers 5 writes them.
 *
 * Source: Su et al., "RoFormer", 2021; the scalings, modeling_rope_utils.py of transformers 5.24.
 *
 * @throws Problem for a scaling that is not supported
 */
export function readRope(reader: ConfigReader, shape: RopeShape): RopeScheme {
  const [name, parameters] = ropeParameters(reader);
  return makeRope(reader, name, parameters, shape);
}

/** The scaling of a configuration, and the key that it stands under. transformers takes the old key where a file has both. */
export function ropeParameters(reader: ConfigReader): [name: string, parameters: RopeParameters] {
  const scaling = asParameters(reader.raw('rope_scaling'), 'rope_scaling');
  const parameters = asParameters(reader.raw('rope_parameters'), 'rope_parameters');
  return Object.keys(scaling).length > 0 ? ['rope_scaling', scaling] : ['rope_parameters', parameters];
}

/**
 * The same for one of several scalings of a model.
 *
 * @param name - where it stands in the file, for messages
 */
export function makeRope(reader: ConfigReader, name: string, p: RopeParameters, shape: RopeShape): RopeScheme {
  const { headSize, defaultTheta, maxPositions, defaultShare = 1, otherNames = {}, otherKeys = [] } = shape;
  if (headSize > reader.limits.headSize) {
    throw problem('models', {
      what: 'config.json: a head is too large (head_dim, or the hidden size over the number of heads)',
      got: headSize,
      expected: `at most ${reader.limits.headSize}: ${reader.limits.reason}`,
    });
  }
  const topTheta = reader.number('rope_theta', defaultTheta);
  const topPartial = reader.number('partial_rotary_factor', defaultShare);
  const topOriginal = reader.raw('original_max_position_embeddings') ?? undefined;
  const given = p.rope_type ?? p.type ?? 'default';
  const type = typeof given === 'string' && Object.hasOwn(otherNames, given) ? otherNames[given] : given;
  const scaling = typeof type === 'string' && Object.hasOwn(ropeScalings, type) ? ropeScalings[type] : undefined;
  if (scaling === undefined) {
    throw problem('models', {
      what: `config.json: this scaling of rotary positions (${name}.rope_type) is not supported`,
      got: type,
      expected: `one of ${Object.keys(ropeScalings).join(', ')}`,
    });
  }
  const known = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor', ...scaling.keys, ...otherKeys];
  checkOptions('models', `${name} of type '${type as string}'`, p, known);
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
  const original = topOriginal ?? p.original_max_position_embeddings ?? maxPositions;
  const all = { rope_theta: topTheta, ...p, original_max_position_embeddings: original };
  return scaling.make(scalingReader(name, all, turned, maxPositions));
}

function scalingReader(name: string, p: RopeParameters, turned: number, maxPositions: number): ScalingReader {
  const wrong = (key: string, expected: string): Error =>
    problem('models', { what: `config.json: ${name}.${key} is not usable`, got: p[key], expected });
  const positive = (key: string): number => {
    if (isPositive(p[key])) return p[key];
    throw wrong(key, 'a number > 0');
  };
  return {
    positive,
    optionalPositive: key => (p[key] === undefined || p[key] === null ? undefined : positive(key)),
    boolean(key, fallback) {
      const value = p[key] ?? fallback;
      if (typeof value === 'boolean') return value;
      throw wrong(key, 'true or false');
    },
    factors(key) {
      const value = p[key];
      if (Array.isArray(value) && value.length === turned / 2 && value.every(isPositive)) return value;
      throw wrong(key, `${turned / 2} numbers > 0, one for each two values that turn`);
    },
    theta: positive('rope_theta'),
    turned,
    maxPositions,
  };
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value);
}

/** @throws Problem unless the value is an object, or nothing */
export function asParameters(value: unknown, key: string): RopeParameters {
  if (value === null || value === undefined) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as RopeParameters;
  throw problem('models', { what: `config.json: ${key} is not usable`, got: value, expected: 'an object, or null' });
}
