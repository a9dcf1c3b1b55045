// Has the heap of C end right behind what it has, as it does where V8 maps its code there, and then takes more memory.
import { mpiComm } from '@dropbp/mpi';
import koffi from '../../../packages/mpi/node_modules/koffi/index.js';

const c = koffi.load(null);
const sbrk = c.func('void *sbrk(long increment)') as (increment: number) => bigint;
const mmap = c.func('uintptr_t mmap(uintptr_t at, size_t length, int access, int flags, int file, long offset)') as (
  ...given: (number | bigint)[]
) => number | bigint;
const malloc = c.func('void *malloc(size_t bytes)') as (bytes: number) => bigint;
const memset = c.func('void *memset(void *at, int byte, size_t bytes)') as (
  at: bigint,
  byte: number,
  bytes: number,
) => bigint;

const pageEnd = (sbrk(0) + 0xfffn) & ~0xfffn;
// As code is. MPICH 5.0 reads 4,096 bytes of each rank's address at its start, and so beyond what it has allocated.
const readable = 1;
// MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE: where something is mapped already, the heap ends without us.
const privateAnonymousFixed = 0x100022;
mmap(pageEnd, 4096, readable, privateAnonymousFixed, -1, 0);

const comm = await mpiComm({ timeoutSeconds: 10 });
const values = new Float32Array(1000);
for (let i = 0; i < 20; i++) await comm.allReduceSum(values);
let allocated = 0;
for (; allocated < 200; allocated++) memset(malloc(60_000), 1, 60_000);
await comm.close();
console.log(JSON.stringify({ allocated }));
