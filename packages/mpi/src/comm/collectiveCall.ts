/** What a rank asks of all: every rank must ask the same. */
export interface CollectiveCall {
  readonly name: 'allReduceSum' | 'broadcast' | 'barrier' | 'close';
  /** Values or bytes. 0 for calls that carry none. */
  readonly length: number;
  readonly root: number;
  /** In so many bytes large buffers are cut. */
  readonly bucketBytes: number;
}

const names: readonly CollectiveCall['name'][] = ['allReduceSum', 'broadcast', 'barrier', 'close'];

/** Lengths go beyond 32 bits. */
const lowPart = 2 ** 30;

/** How many numbers describe a call. */
export const callNumbers = 5;

/** A call as numbers that MPI can carry. */
export function toNumbers({ name, length, root, bucketBytes }: CollectiveCall): number[] {
  return [names.indexOf(name), length % lowPart, Math.floor(length / lowPart), root, bucketBytes];
}

/** The call that {@link toNumbers} described. */
export function fromNumbers(numbers: ArrayLike<number>): CollectiveCall {
  return {
    name: names[numbers[0]!]!,
    length: numbers[1]! + numbers[2]! * lowPart,
    root: numbers[3]!,
    bucketBytes: numbers[4]!,
  };
}

/** As a message shows it: `'allReduceSum of 1,000 values'`. */
export function describeCall({ name, length, root, bucketBytes }: CollectiveCall, withBuckets = false): string {
  const counted = length.toLocaleString('en');
  const buckets = withBuckets ? ` in buckets of ${bucketBytes.toLocaleString('en')} bytes` : '';
  switch (name) {
    case 'allReduceSum':
      return `${name} of ${counted} values${buckets}`;
    case 'broadcast':
      return `${name} of ${counted} bytes from rank ${root}${buckets}`;
    case 'barrier':
    case 'close':
      return name;
  }
}
