import { problem } from '@dropbp/basics';

export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** The shape that two shapes broadcast to. @throws Problem when they do not */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw problem('tfjs-backend-ort', {
        what: 'shapes do not broadcast',
        got: [a, b],
        expected: 'sizes that are equal or 1',
      });
    }
    return x === 1 ? y : x;
  });
}
