import type { Graph, Value } from '../graph/graph.ts';
import { broadcastShapes } from '../graph/shape.ts';
import { add, prelu } from './binary.ts';
import { blockMatMul } from './packed/blockMatMul.ts';
import { type AB, type InputInfo, type Kernel, kernel, type Kernels, type X } from './kernel.ts';
import { packedMatMul } from './packed/packedMatMul.ts';
import { unary } from './unary.ts';

interface MatMulAttrs {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const isFloat = ({ a, b }: { readonly a: InputInfo; readonly b: InputInfo }): boolean =>
  a.dtype === 'float32' && b.dtype === 'float32';

/** Matrix products. */
export const matMuls: Kernels = {
  BatchMatMul: kernel<AB, MatMulAttrs>((graph, { a, b }, attrs) => matMul(graph, a, b, attrs), isFloat),
  _FusedMatMul: kernel<
    AB & { bias?: Value; preluActivationWeights?: Value },
    MatMulAttrs & { activation: string | null; leakyreluAlpha?: number }
  >(
    (graph, { a, b, bias, preluActivationWeights }, attrs) => {
      const product = matMul(graph, a, b, attrs);
      const biased = bias ? add(graph, product, bias) : product;
      return activate(graph, biased, attrs.activation ?? 'linear', preluActivationWeights, attrs.leakyreluAlpha);
    },
    (inputs, { activation }) => isFloat(inputs) && (activation ?? 'linear') in activations,
  ),
  Einsum: kernel<readonly Value[], { equation: string }>(
    (graph, values, { equation }) => {
      const [inputs, output] = equation.replaceAll(' ', '').split('->') as [string, string];
      const sizes = new Map<string, number>();
      inputs
        .split(',')
        .forEach((letters, i) =>
          Array.from(letters).forEach((letter, axis) => sizes.set(letter, values[i]!.shape[axis]!)),
        );
      const shape = Array.from(output, letter => sizes.get(letter)!);
      return graph.node('Einsum', values, shape, 'float32', { attributes: { equation } });
    },
    values => values.every(({ dtype }) => dtype === 'float32'),
  ),
};

/** a · b over the last two axes; the axes before them broadcast. */
function matMul(graph: Graph, a: Value, b: Value, { transposeA = false, transposeB = false }: MatMulAttrs): Value {
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns];
  const packed = transposeA
    ? undefined
    : (packedMatMul(graph, a, b, transposeB, shape) ?? blockMatMul(graph, a, b, transposeB, shape));
  if (packed) return packed;
  if (!transposeA && !transposeB) return graph.node('MatMul', [a, b], shape, 'float32');
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
  // Both read a transposed matrix where it lies.
  if (a.shape.length === 2 && b.shape.length === 2) return graph.node('Gemm', [a, b], shape, 'float32', { attributes });
  return graph.node('FusedMatMul', [a, b], shape, 'float32', { attributes, domain: 'com.microsoft' });
}

/** The activations that tfjs can fuse, by name. */
const activations: Readonly<Record<string, Kernel | 'none' | 'prelu' | 'leakyrelu'>> = {
  linear: 'none',
  relu: unary.Relu!,
  relu6: unary.Relu6!,
  elu: unary.Elu!,
  sigmoid: unary.Sigmoid!,
  prelu: 'prelu',
  leakyrelu: unary.LeakyRelu!,
};

function activate(graph: Graph, x: Value, name: string, weights: Value | undefined, alpha = 0.2): Value {
  const activation = activations[name]!;
  if (activation === 'prelu') return prelu(graph, x, weights!);
  return typeof activation === 'string' ? x : (activation.build(graph, { x } satisfies X, { alpha }) as Value);
}
