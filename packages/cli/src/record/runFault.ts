import { isObject } from '@dropbp/basics';

/** What a part of a run has to be. */
type Shape =
  | 'text'
  | 'number'
  | 'flag'
  /** Anything that does not nest deep. */
  | 'option'
  | { readonly listOf: Shape }
  | { readonly mapOf: Shape }
  | { readonly orNull: Shape }
  | { readonly optional: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

const fields = (of: Readonly<Record<string, Shape>>): Shape => ({ fields: of });
const numbers = (...names: string[]): Record<string, Shape> => Object.fromEntries(names.map(name => [name, 'number']));

const run = fields({
  ...{ name: 'text', startedAt: 'text', backend: 'text', options: { mapOf: 'option' }, versions: { mapOf: 'text' } },
  ...numbers('trainSeconds', 'peakMemoryBytes'),
  changes: { optional: { listOf: fields({ name: 'text', afterStep: 'number' }) } },
  model: fields({ source: 'text', ...numbers('parameters', 'trainable') }),
  data: fields({
    source: 'text',
    format: { optional: 'text' },
    heldOutRows: { optional: { orNull: 'number' } },
    ...numbers('trainTokens', 'heldOutTokens'),
  }),
  steps: {
    listOf: fields({
      ...numbers('step', 'loss', 'learningRate', 'dropped', 'tokens', 'seconds', 'memoryBytes'),
      gradientNorm: { orNull: 'number' },
      calibrationSeconds: { optional: 'number' },
      promptDecision: {
        optional: fields({
          ...numbers('similarity', 'saved'),
          dropsPrompts: 'flag',
          isPossible: { optional: 'flag' },
          isPreliminary: { optional: 'flag' },
        }),
      },
    }),
  },
  heldOut: { listOf: fields(numbers('step', 'loss')) },
  branches: { listOf: fields({ path: 'text', kind: 'text', dropRate: 'number', sensitivity: { optional: 'number' } }) },
  costs: { optional: fields({ why: 'text', ...numbers('dropped', 'saved', 'savedAtHalf') }) },
  length: { optional: fields({ why: 'text', epochs: 'number' }) },
  drops: {
    optional: fields({
      allocation: 'text',
      sampling: 'text',
      memory: { optional: 'number' },
      prompts: { optional: 'text' },
    }),
  },
  samples: { orNull: fields({ prompt: 'text', texts: { listOf: fields({ step: 'number', text: 'text' }) } }) },
  ended: { orNull: fields({ why: 'text', keptStep: 'number' }) },
});

/** The first part of a run's record that is not what it has to be: `'steps.3.loss'`; undefined where all is well. */
export function runFault(record: unknown): string | undefined {
  return faultOf(record, run, '');
}

function faultOf(value: unknown, shape: Shape, path: string): string | undefined {
  const here = path === '' ? 'the whole' : path;
  if (shape === 'number') return Number.isFinite(value) ? undefined : here;
  if (shape === 'flag') return typeof value === 'boolean' ? undefined : here;
  if (shape === 'text') return typeof value === 'string' ? undefined : here;
  if (shape === 'option') return nestsWithin(value, 20) ? undefined : here;
  if ('orNull' in shape) return value === null ? undefined : faultOf(value, shape.orNull, path);
  if ('optional' in shape) return value === undefined ? undefined : faultOf(value, shape.optional, path);
  if ('listOf' in shape) {
    return Array.isArray(value) ? firstOf(value.entries(), item => [item, shape.listOf], path) : here;
  }
  if (!isObject(value)) return here;
  if ('mapOf' in shape) return firstOf(Object.entries(value), item => [item, shape.mapOf], path);
  return firstOf(Object.entries(shape.fields), (of, name) => [value[name], of as Shape], path);
}

function nestsWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every(inner => nestsWithin(inner, depth - 1));
}

function firstOf(
  parts: Iterable<readonly [name: string | number, of: unknown]>,
  inside: (of: unknown, name: string) => readonly [value: unknown, shape: Shape],
  path: string,
): string | undefined {
  for (const [name, of] of parts) {
    const fault = faultOf(...inside(of, String(name)), path === '' ? String(name) : `${path}.${name}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
