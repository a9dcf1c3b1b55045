import { problem } from '@dropbp/basics';
import { configReader, type ConfigReader, type RawConfig } from '../../architectures/configReader.ts';
import { readRope } from '../../layers/rope/readRope.ts';
import { ropeFactorsTensor, type GgufHeader } from '../readGguf.ts';

/** What llama.cpp's conversion computes the divisors of Llama 3.1 and later with, besides the factor. */
const llama3 = { rope_type: 'llama3', low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** Conversion and transformers round differently in float32. */
const tolerance = 1e-4;

/**
 * `rope_theta` and, where positions are scaled, `rope_scaling` of a `config.json`.
 *
 * @throws Problem for a scaling that is not supported, by its name, and for divisors that are not Llama 3's
 */
export function ropeScaling(reader: ConfigReader, header: GgufHeader, headSize: number): RawConfig {
  const theta = reader.number('rope.freq_base', 10000);
  const type = reader.raw('rope.scaling.type') ?? 'none';
  if (type !== 'none' && type !== 'linear' && type !== 'yarn') {
    throw problem('models', {
      what: `${header.name}: this scaling of rotary positions (rope.scaling.type) is not supported`,
      got: type,
      expected: 'none, linear, yarn, or the divisors of Llama 3',
    });
  }
  if (type === 'yarn') return { rope_theta: theta, rope_scaling: yarnScaling(reader, undefined) };
  const factor = type === 'linear' ? reader.number('rope.scaling.factor', NaN) : undefined;
  const divisors = header.ropeFactors;
  if (divisors === undefined) {
    return { rope_theta: theta, ...(factor !== undefined && { rope_scaling: { rope_type: 'linear', factor } }) };
  }
  const scaled = { rope_theta: theta, rope_scaling: { ...llama3, factor: divisors.at(-1)! } };
  if (factor === undefined && divisors.every(divisor => divisor > 0) && areDivisorsOf(divisors, scaled, headSize))
    return scaled;
  throw problem('models', {
    what: `${header.name}: the positions are scaled in a way that is not supported (${ropeFactorsTensor})`,
    got: [...divisors],
    expected: 'the divisors of Llama 3, made from its factor alone',
  });
}

/**
 * YaRN as transformers has it; nothing where the file has another scaling.
 *
 * @param attentionFactor - of a file that says it. @defaultValue what follows from the factor
 */
export function yarnScaling(reader: ConfigReader, attentionFactor: number | undefined): RawConfig {
  if (reader.raw('rope.scaling.type') !== 'yarn') return {};
  const [fast, slow] = ['fast', 'slow'].map(end => reader.optionalNumber(`rope.scaling.yarn_beta_${end}`));
  return {
    rope_type: 'yarn',
    factor: reader.number('rope.scaling.factor', NaN),
    original_max_position_embeddings: reader.integer('rope.scaling.original_context_length'),
    ...(fast !== undefined && { beta_fast: fast }),
    ...(slow !== undefined && { beta_slow: slow }),
    ...(attentionFactor !== undefined && { attention_factor: attentionFactor }),
  };
}

/** Whether these divisors are the plain frequencies over the scaled ones. */
function areDivisorsOf(divisors: Float32Array, scaled: RawConfig, headSize: number): boolean {
  const shape = { headSize, defaultTheta: 10000, maxPositions: 1 };
  const [plain, other] = [{ rope_theta: scaled.rope_theta }, scaled].map(config =>
    readRope(configReader(config), shape).frequencies(1),
  );
  return (
    divisors.length === headSize / 2 &&
    divisors.every((divisor, i) => Math.abs((other![i]! * divisor) / plain![i]! - 1) < tolerance)
  );
}
