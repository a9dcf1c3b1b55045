// One rank, the last, does what no rank should, in the way that the first argument names; the others go on.
import { execFileSync } from 'node:child_process';
import { cleanEnvironment, launchedByMpi, mpiComm } from '@dropbp/mpi';

const [fault, other] = process.argv.slice(2) as [string, string?];
const say = (report: object): void => console.log(JSON.stringify({ pid: process.pid, ...report }));

if (fault === 'is a child') {
  const refused = await mpiComm().then(
    () => 'begun',
    (error: unknown) => String(error),
  );
  say({ launched: launchedByMpi(), refused });
  process.exit();
}

const comm = await mpiComm({ timeoutSeconds: /^(hangs|waits)/.test(fault) ? 2 : 15 });
const { rank, size } = comm;
const isFaulty = rank === size - 1;
const values = new Float32Array(1000).fill(1);
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
for (let i = 0; i < 3; i++) await comm.allReduceSum(values);
say({ rank, sum: values[0] });

switch (isFaulty ? fault : 'none') {
  case 'is killed':
    process.kill(process.pid, 'SIGKILL');
    break;
  case 'exits':
    process.exit(Number(other));
    break;
  case 'throws':
    throw new Error('what a rank threw');
  case 'ends without close':
    process.exitCode = 0; // Else Node says 13: nothing will ever resolve what is awaited.
    await new Promise(() => undefined);
    break;
  case 'closes early':
    await comm.close();
    break;
  case 'leaves out a call':
    await comm.barrier();
    break;
  case 'brings another length':
    await comm.allReduceSum(new Float32Array(999));
    break;
  case 'hangs':
    for (;;) Math.random();
    break;
  case 'waits for something else':
    await pause(60_000);
    break;
  case 'exits while it waits':
    setTimeout(() => process.exit(3), 300);
    await comm.allReduceSum(values);
    break;
  case 'aborts':
    await comm.abort(9, 'the loss is not finite');
    break;
  default:
    break;
}

if (fault === 'wasm trap') {
  // A function that reads behind the end of its memory: (func (export "f") (drop (i32.load (i32.const -1))))
  const bytes = new Uint8Array([
    ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0],
    ...[10, 10, 1, 8, 0, 65, 127, 40, 2, 0, 26, 11],
  ]);
  const { instance } = await WebAssembly.instantiate(bytes);
  try {
    (instance.exports.f as () => void)();
  } catch (error) {
    say({ trapped: error instanceof WebAssembly.RuntimeError, text: String(error) });
  }
}
if (fault === 'has a child') {
  const run = (env: NodeJS.ProcessEnv): string =>
    execFileSync(process.execPath, [...process.execArgv, process.argv[1]!, 'is a child'], { env, encoding: 'utf8' });
  if (isFaulty) console.log(run(process.env) + run(cleanEnvironment()));
}
if (fault === 'starts ranks of its own' && isFaulty) {
  const program = [process.execPath, ...process.execArgv, process.argv[1]!, 'none'];
  const [launcher, ...args] = JSON.parse(other!) as string[];
  console.log(execFileSync(launcher!, [...args, '-n', '2', ...program], { env: cleanEnvironment(), encoding: 'utf8' }));
}
if (fault === 'exits while it waits' && !isFaulty) await pause(60_000);

await comm.allReduceSum(values);
await comm.close();
say({ rank, closed: true });
