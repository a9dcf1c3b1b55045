import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { compile, ortBackend } from '../src/index.ts';
import { toHalf } from '../src/packed/halfBits.ts';

const FORMS = ['f16', 'int8', 'int6', 'int4'] as const;

beforeEach(() => tf.setBackend('ort'));
afterAll(() => tf.setBackend('cpu'));

/** Numbers of a normal distribution, the same each time. */
function normal(count: number, seed: number): Float32Array {
  let state = seed;
  const uniform = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

function relativeError(actual: tf.Tensor, expected: tf.Tensor): number {
  return tf.tidy(() => tf.div(tf.norm(tf.sub(actual, expected)), tf.norm(expected)).dataSync()[0]!);
}

function pack(
  values: Float32Array,
  shape: [number, number],
  form: (typeof FORMS)[number],
  inputAxis: 0 | 1 = 1,
): tf.Tensor2D {
  return ortBackend().pack(values, shape, form, inputAxis)!;
}

describe('beginPack', () => {
  it('gives what pack() gives, from a few rows at a time', async () => {
    const shape = [70, 96] as const;
    const values = normal(70 * 96, 5);
    values.fill(0, 0, 96);
    for (const [form, inputAxis, isTable] of [
      ['f16', 1, false],
      ['int8', 1, false],
      ['int8', 0, false],
      ['int8', 1, true],
      ['int4', 1, false],
      ['int4', 0, false],
      ['int6', 1, true],
    ] as const) {
      const whole = ortBackend().pack(values.slice(), shape, form, inputAxis, isTable)!;
      const packer = ortBackend().beginPack(shape, form, inputAxis, isTable)!;
      for (let round = 1; round <= packer.rounds; round++) {
        for (const [from, to] of [
          [0, 1],
          [1, 30],
          [30, 33],
          [33, 70],
        ] as const)
          // prettier-ignore
          packer.add(values.slice(from * 96, to * 96));
      }
      const parts = packer.finish();
      expect(await parts.data(), `${form} ${inputAxis}`).toEqual(await whole.data());
      const x = tf.ones([3, inputAxis === 1 ? 96 : 70]);
      const products = [parts, whole].map(weight => tf.matMul(x, weight, false, inputAxis === 1));
      expect(await products[0]!.data(), `a product with ${form}`).toEqual(await products[1]!.data());
      tf.dispose([parts, whole, x, products]);
    }
  });
});

describe('toHalf', () => {
  it('rounds to the nearest, ties to even, and keeps what half precision can hold', () => {
    // Source: IEEE 754-2008, binary16.
    const known: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [3 * 2 ** -25, 0x0002],
      [2 ** -26, 0x0000],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [1 + 2 ** -11 + 2 ** -20, 0x3c01],
      [0.1, 0x2e66],
    ];
    expect([...toHalf(Float32Array.from(known, ([value]) => value))]).toEqual(known.map(([, bits]) => bits));
  });
  it.each([65520, Infinity, NaN])('refuses %f', value => {
    expect(() => toHalf(Float32Array.of(1, value))).toThrow(/too large for f16, or not finite/);
  });
});

describe('a packed weight', () => {
  it.each(FORMS)('%s is a float32 tensor of nearly the same numbers', async form => {
    const [rows, columns] = [48, 80];
    const values = normal(rows * columns, 3);
    const weight = pack(values, [rows, columns], form);
    expect([weight.shape, weight.dtype, ortBackend().formOf(weight)]).toEqual([[rows, columns], 'float32', form]);
    const read = await weight.data();
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - read[i]!)), 0);
    expect(worst).toBeLessThan({ f16: 2e-3, int8: 0.02, int6: 0.1, int4: 0.6 }[form]);
    const plain = tf.tensor2d(values, [rows, columns]);
    // Kernels that know nothing of it unpack it.
    expect(relativeError(tf.add(weight, 0), plain)).toBeLessThan(
      { f16: 5e-4, int8: 0.01, int6: 0.03, int4: 0.12 }[form],
    );
    expect(ortBackend().formOf(plain)).toBeUndefined();
  });

  it.each([
    [[64, 96], 1],
    [[96, 64], 1],
    [[64, 96], 0],
    [[96, 64], 0],
  ] as const)(
    'of shape %o with inputs along axis %i multiplies as the plain one does, both ways',
    (shape, inputAxis) => {
      const [rows, columns] = shape;
      const values = normal(rows * columns, 5);
      const plain = tf.tensor2d(values, [rows, columns]);
      for (const form of FORMS) {
        const weight = pack(values, [rows, columns], form, inputAxis);
        for (const transpose of [false, true]) {
          const inner = transpose ? columns : rows;
          // One feature far larger than the others, and one row: what real activations and gradients look like.
          const x = tf.tidy(() => {
            const features = tf.tensor1d(Float32Array.from({ length: inner }, (_, i) => (i === 7 ? 60 : 1)));
            const sizes = tf.tensor2d(
              Float32Array.from({ length: 20 }, (_, i) => (i === 3 ? 1e-3 : 1)),
              [20, 1],
            );
            return tf.mul<tf.Tensor2D>(tf.mul(tf.tensor2d(normal(20 * inner, 11), [20, inner]), features), sizes);
          });
          const product = (w: tf.Tensor2D): tf.Tensor2D => tf.matMul(x, w, false, transpose);
          const unpacked = tf.add<tf.Tensor2D>(weight, 0);
          expect(relativeError(product(weight), product(unpacked)), `${form} as it is kept`).toBeLessThan(
            form === 'int8' ? 0.03 : 1e-5,
          );
          expect(relativeError(product(weight), product(plain)), form).toBeLessThan(
            { f16: 1e-3, int8: 0.035, int6: 0.04, int4: 0.2 }[form],
          );
        }
      }
    },
  );

  it.each(FORMS)('%s runs in compiled functions, and the gradient flows past it', async form => {
    const values = normal(96 * 64, 7);
    const plain = tf.tensor2d(values, [96, 64]);
    const weight = pack(values, [96, 64], form);
    const unpacked = tf.add(weight, 0);
    const layer = compile(({ x, w }) => tf.relu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true)));
    const x = tf.tensor2d(normal(30 * 64, 9), [30, 64]);
    const run = (w: tf.Tensor): tf.Tensor[] => {
      const { value, grads } = tf.valueAndGrads((t: tf.Tensor) => tf.sum(tf.square(layer({ x: t }, { w }))))([x]);
      return [value, grads[0]!, layer({}, { x, w })];
    };
    const [packedResults, plainResults] = [run(weight), run(unpacked)];
    packedResults.forEach((tensor, i) => {
      expect(relativeError(tensor, plainResults[i]!)).toBeLessThan(form === 'int8' ? 0.03 : 1e-5);
    });
    // One signature with the packed weight's own form in it, and one without: for gradients and for none each.
    expect(layer.signatures).toBe(4);
    expect(layer.report().filter(({ signature }) => signature.includes(`w:${form}`))).toHaveLength(2);
    // The weight is unpacked again for the backward pass: between the passes it is not there in float32.
    const saved = layer.report().filter(({ nodes }) => nodes.backward !== undefined).map(report => report.savedBytes); // prettier-ignore
    expect(saved).toHaveLength(2);
    expect(Math.abs(saved[0]! - saved[1]!)).toBeLessThan(0.05 * plain.size * 4);
    expect(() => tf.grad(w => tf.sum(layer({ w }, { x })))(weight)).toThrow(
      `the differentiable input 'w' of function is kept as ${form}, which takes no gradient`,
    );
    layer.dispose();
    await plain.data();
  });

  it.each(FORMS)('%s is held once however often it is cloned, and freed', form => {
    const before = tf.memory();
    const weight = pack(normal(64 * 64, 1), [64, 64], form);
    const clones = [weight.clone(), tf.keep(weight.clone())];
    for (const clone of clones) expect(ortBackend().formOf(clone)).toBe(form);
    weight.dispose();
    expect(relativeError(clones[0]!, clones[1]!)).toBe(0);
    tf.dispose(clones);
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(ortBackend().numDataIds()).toBe(before.numDataBuffers);
  });

  it('int8 multiplies one row as it does many', async () => {
    for (const [rows, columns] of [
      [96, 64],
      [64, 96],
    ] as const) {
      const weight = pack(normal(rows * columns, 5), [rows, columns], 'int8');
      const unpacked = tf.add<tf.Tensor2D>(weight, 0);
      for (const transpose of [false, true]) {
        const x = tf.tensor2d(normal(transpose ? columns : rows, 3), [1, transpose ? columns : rows]);
        const error = relativeError(tf.matMul(x, weight, false, transpose), tf.matMul(x, unpacked, false, transpose));
        // Forward in 14 bits; a gradient in eight.
        expect(error).toBeLessThan(transpose ? 3e-4 : 0.02);
      }
      await unpacked.data();
    }
  });

  it.each(FORMS)('a table in %s gives rows, logits and their gradient', form => {
    const [entries, width] = [160, 80];
    const values = normal(entries * width, 3);
    // Columns of real embeddings differ.
    for (let i = 0; i < values.length; i++) if (i % width === 5) values[i]! *= 12;
    const plain = tf.tensor2d(values.slice(), [entries, width]);
    const table = ortBackend().pack(values, [entries, width], form, 1, true)!;
    const bound = { f16: 1e-3, int8: 0.012, int6: 0.035, int4: 0.15 }[form];
    const unpacked = tf.add<tf.Tensor2D>(table, 0);
    expect(relativeError(unpacked, plain)).toBeLessThan(bound);
    for (const indices of [
      tf.tensor1d([7], 'int32'),
      tf.range(0, 150, 1, 'int32'),
      tf.tensor2d(
        [
          [3, 3],
          [159, 0],
        ],
        [2, 2],
        'int32',
      ),
    ]) {
      expect(relativeError(tf.gather(table, indices), tf.gather(unpacked, indices))).toBeLessThan(1e-6);
    }
    const x = tf.tensor2d(normal(48 * width, 11), [48, width]);
    const loss = compile(({ x, w }) =>
      tf.square(tf.softmax(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true))),
    );
    const gradientBy = (w: tf.Tensor2D): tf.Tensor => tf.grad(t => tf.sum(loss({ x: t }, { w })))(x);
    expect(relativeError(tf.matMul(x, table, false, true), tf.matMul(x, unpacked, false, true))).toBeLessThan(0.02);
    expect(relativeError(gradientBy(table), gradientBy(unpacked))).toBeLessThan(0.06);
    // Of probabilities most are smaller than a step of the largest.
    const product = compile(({ x, w }) => tf.matMul(tf.softmax(x as tf.Tensor2D), w as tf.Tensor2D));
    const logits = tf.tensor2d(normal(20 * entries, 2), [20, entries]);
    expect(relativeError(product({}, { x: logits, w: table }), product({}, { x: logits, w: unpacked }))).toBeLessThan(
      1e-4,
    );
    loss.dispose();
    product.dispose();
  });

  it.each([
    ['f16', 1],
    ['int6', 1],
    ['int4', 1],
    ['int4', 0],
  ] as const)('%s of a large matrix, inputs along axis %i, is multiplied block by block', (form, inputAxis) => {
    const [entries, width] = [9001, 500];
    const values = Float32Array.from({ length: entries * width }, (_, i) => ((i * 7919) % 2003) / 1000 - 1);
    const table = pack(values, [entries, width], form, inputAxis);
    const unpacked = tf.add<tf.Tensor2D>(table, 0);
    const x = tf.tensor2d(normal(3 * width, 5), [3, width]);
    const y = tf.tensor2d(normal(3 * entries, 7), [3, entries]);
    expect(relativeError(tf.matMul(x, table, false, true), tf.matMul(x, unpacked, false, true))).toBeLessThan(1e-6);
    expect(relativeError(tf.matMul(y, table), tf.matMul(y, unpacked))).toBeLessThan(1e-5);
  });

  it.each(['int8', 'int6', 'int4'] as const)('%s of zeros, of one number and of odd sizes comes back', async form => {
    for (const value of [0, -3]) {
      const weight = pack(new Float32Array(5 * 7).fill(value), [5, 7], form);
      for (const read of await weight.data()) expect(read).toBeCloseTo(value, 1);
      const sums = tf.matMul(tf.ones([2, 7]), weight, false, true);
      for (const sum of await sums.data()) expect(sum).toBeCloseTo(7 * value, 1);
    }
  });

  it.each(FORMS)('%s refuses what is not finite', form => {
    expect(() => pack(Float32Array.of(1, NaN, 1, 1), [2, 2], form)).toThrow(/finite/);
  });

  it('in int4 is off by half a level of its block at most, and what the zero point and the scale are rounded by', async () => {
    const weights = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 2 * 75, maxLength: 2 * 75 });
    await fc.assert(
      fc.asyncProperty(weights, fc.constantFrom(0, 1), async (list, inputAxis) => {
        const shape: [number, number] = inputAxis === 1 ? [2, 75] : [75, 2];
        const at = (output: number, input: number): number =>
          inputAxis === 1 ? output * 75 + input : input * 2 + output;
        const weight = pack(Float32Array.from(list), shape, 'int4', inputAxis);
        const read = await weight.data();
        for (const output of [0, 1]) {
          const places = [0, 32, 64].map(start =>
            Array.from({ length: Math.min(32, 75 - start) }, (_, i) => at(output, start + i)),
          );
          const levels = places.map(block => {
            const values = block.map(place => list[place]!);
            return (Math.max(0, ...values) - Math.min(0, ...values)) / 15;
          });
          const step = Math.max(...levels) / 255;
          places.forEach((block, i) => {
            // A block that is far smaller than another one of its row has the least scale there is.
            const level = Math.max(levels[i]!, step);
            const bound = level * (0.5 + 1 / 16) + 15 * step;
            for (const place of block) expect(Math.abs(read[place]! - list[place]!)).toBeLessThanOrEqual(bound + 1e-6);
          });
        }
        weight.dispose();
      }),
      { numRuns: 50 },
    );
  });

  it.each(['Q4_0', 'Q4_1', 'Q4_K'] as const)('in int4 keeps the integers of %s', async type => {
    const [rows, columns] = [24, 32 * 7];
    const size = (at: number): number => 0.02 * 1.5 ** sizes[at % sizes.length]!;
    const sizes = normal(rows * 7 + 3, 5);
    const values = normal(rows * columns, 9);
    const errors: number[] = [];
    for (let block = 0; block < rows * 7; block++) {
      const own = values.subarray(block * 32, (block + 1) * 32);
      const integers = Int32Array.from(own, value => Math.max(0, Math.min(Math.round(8 + 3.3 * value), 15)));
      // Q4_0 has no minimum and its largest magnitude is -8, of either sign; Q4_1 and Q4_K have one; Q4_1 goes through all levels.
      if (type !== 'Q4_K') integers[block % 32] = 0;
      if (type === 'Q4_1') integers[(block + 5) % 32] = 15;
      const scale = type === 'Q4_0' && block % 2 === 1 ? -size(block) : size(block);
      const minimum = type === 'Q4_0' ? -8 * scale : -6 * scale - size(block + 3) / 4;
      own.set(Float32Array.from(integers, integer => scale * integer + minimum));
    }
    const read = await pack(values.slice(), [rows, columns], 'int4').data();
    const largest = Math.max(...Array.from({ length: rows * 7 }, (_, block) => size(block)));
    values.forEach((value, i) => errors.push(Math.abs(read[i]! - value) / largest));
    // Of a level of the grid; other integers would be off by a quarter of one on average.
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(type === 'Q4_0' ? 0.01 : 0.02);
  });
});
