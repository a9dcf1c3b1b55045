// Every call with values that are known, element by element. Each rank writes what it found as one line of JSON.
import { createHash } from 'node:crypto';
import { seededRandom } from '@dropbp/basics';
import { mpiComm } from '@dropbp/mpi';

const bucketBytes = Number(process.argv[2]);
const comm = await mpiComm({ timeoutSeconds: 15, bucketBytes });
const { rank, size } = comm;
const wrong: string[] = [];
const hash = createHash('sha256');

const expectAll = (name: string, got: ArrayLike<number>, expected: (i: number) => number): void => {
  for (let i = 0; i < got.length; i++) {
    if (got[i] !== expected(i)) wrong.push(`${name}[${i}] is ${got[i]}, expected ${expected(i)}`);
  }
};
const triangle = (size * (size + 1)) / 2;
const value = (of: number, i: number): number => (of + 1) * ((i % 97) - 48);
const sum = (i: number): number => triangle * ((i % 97) - 48);

for (const length of [0, 1, 2, 3, 1000, 1023, 1024, 1025, 100_003]) {
  const values = Float32Array.from({ length }, (_, i) => value(rank, i));
  await comm.allReduceSum(values);
  expectAll(`sum of ${length}`, values, sum);
}

// What cannot be summed exactly: the same bits everywhere.
const random = seededRandom(rank + 1);
const uneven = Float32Array.from({ length: 54_321 }, () => random() - 0.5);
await comm.allReduceSum(uneven);
hash.update(new Uint8Array(uneven.buffer));

// A part of a buffer, of shared memory and of WebAssembly's: in place, and nothing beside it.
const memory = new WebAssembly.Memory({ initial: 1 });
for (const buffer of [new ArrayBuffer(4096), new SharedArrayBuffer(4096), memory.buffer]) {
  const all = new Float32Array(buffer, 0, 1024).fill(7);
  const part = all.subarray(100, 900);
  part.forEach((_, i) => (part[i] = value(rank, i)));
  await comm.allReduceSum(part);
  expectAll('part', part, sum);
  expectAll('before it', all.subarray(0, 100), () => 7);
  expectAll('behind it', all.subarray(900), () => 7);
}

for (let root = 0; root < size; root++) {
  const bytes = Uint8Array.from({ length: 5003 }, (_, i) => (rank === root ? i % 251 : 0));
  await comm.broadcast(bytes, root);
  expectAll(`bytes of ${root}`, bytes, i => i % 251);
  const floats = Float32Array.from({ length: 3001 }, (_, i) => (rank === root ? i / 8 : -1));
  await comm.broadcast(floats.subarray(1), root);
  expectAll(`values of ${root}`, floats.subarray(1), i => (i + 1) / 8);
  if (floats[0] !== (rank === root ? 0 : -1)) wrong.push('a broadcast wrote before its buffer');
}

// Many at once, none waited for: one after the other all the same.
const many = Array.from({ length: 12 }, (_, n) => Float32Array.from({ length: 3000 }, (_, i) => value(rank, i + n)));
await Promise.all(many.map(values => comm.allReduceSum(values)));
many.forEach((values, n) => expectAll(`${n} of many`, values, i => sum(i + n)));

// The event loop turns while a rank waits for the others.
let turns = 0;
const timer = setInterval(() => turns++, 5);
if (rank > 0) await new Promise(resolve => setTimeout(resolve, 300));
await comm.barrier();
clearInterval(timer);

const { calls, reducedBytes, broadcastBytes } = comm.traffic();
await comm.close();
await comm.close();
const after = await comm.barrier().then(
  () => 'done',
  (error: unknown) => String(error),
);
const { localSize, version } = comm;
console.log(
  JSON.stringify({
    ...{ rank, size, localSize, version, wrong, turns, calls, reducedBytes, broadcastBytes, after },
    bits: hash.digest('hex'),
  }),
);
