// Run by write.test.ts: writes to the given path and is killed in the middle, as by a power cut.
import { writeSafetensors } from '../src/index.ts';

await writeSafetensors(process.argv[2]!, {
  a: { dtype: 'U8', shape: [1000], data: new Uint8Array(1000) },
  b: {
    dtype: 'U8',
    shape: [1],
    data: async () => {
      process.kill(process.pid, 'SIGKILL');
      await new Promise(resolve => setTimeout(resolve, 10_000));
      return new Uint8Array(1);
    },
  },
});
