/**
 * How long is a training step in a browser, on each backend that examples/browser can use?
 *
 *     node scripts/build.mjs
 *     npx tsx bench/browser.bench.ts [--backends ort-wasm,tfjs-wasm] [--threads 2]
 *
 * The example's page, built, in Chromium: LoRA of rank 16 on all linear layers of the small base, 4 × 128 tokens, without drops and with
 * DropBP at 0.75, by depth. Each backend has a page of its own. WebGPU is one that Chromium plays on the processor: its figures say
 * nothing about GPUs. Writes bench/results/browser.json, in which backends that are not named stay as they are.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { backends, type BackendName, type Measured } from '../examples/browser/src/messages.ts';
import { openSite } from '../examples/browser/test/openPage.ts';
import { machine } from './machine.ts';
import { median, round } from './median.ts';

interface Row {
  readonly backend: BackendName;
  readonly name: string;
  readonly threads: number;
  readonly steps: number;
  readonly seconds: number;
  readonly secondsDropped: number;
  readonly spread: string;
  readonly first: number;
  readonly loss: number;
  readonly loadBefore: number;
}

/** Steps behind the first, of either run, at least two: fewer where one takes long. */
const steps: Readonly<Record<BackendName, number>> = {
  'ort-wasm': 15,
  'tfjs-wasm': 9,
  'ort-webgpu': 2,
  'tfjs-webgpu': 2,
  'tfjs-cpu': 2,
};

const { values } = parseArgs({
  options: {
    backends: { type: 'string', default: Object.keys(steps).join() },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const wanted = values.backends.split(',') as BackendName[];
for (const name of wanted) {
  if (!(name in steps)) throw new Error(`no backend '${name}'; there are ${Object.keys(steps).join(', ')}`);
}

const file = new URL('results/browser.json', import.meta.url);
const where = machine();
const site = await openSite();
try {
  for (const backend of wanted) {
    const open = await site.open(`?backend=${backend}&threads=${values.threads}`);
    await open.ready('Train');
    const loadBefore = loadavg()[0]!;
    const { threads } = (await open.reports()).find(report => report.kind === 'loaded')!;
    const gpu = await open.page.evaluate(async () => {
      const adapter = await navigator.gpu.requestAdapter();
      return adapter && [adapter.info.vendor, adapter.info.architecture, adapter.info.description].join(' ').trim();
    });
    const row = {
      backend,
      name: backends[backend],
      threads,
      ...summary(await open.measure(steps[backend]), loadBefore),
    };
    await open.close();
    console.table([row]);
    write(row, gpu);
  }
} finally {
  await site.close();
}

function summary(
  { first, withoutDrops, withDrops, loss }: Measured,
  loadBefore: number,
): Omit<Row, 'backend' | 'name' | 'threads'> {
  return {
    steps: withoutDrops.length,
    seconds: round(median(withoutDrops)),
    // Steps that drop differ in what they have to do, so none of them stands for all.
    secondsDropped: round(withDrops.reduce((sum, value) => sum + value, 0) / withDrops.length),
    spread: [withoutDrops, withDrops].map(all => `${round(Math.min(...all))} to ${round(Math.max(...all))}`).join('; '),
    first: round(first),
    loss,
    loadBefore: round(loadBefore),
  };
}

/** Puts a row in the place of the backend's last one. */
function write(row: Row, gpu: string | null): void {
  const old = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] }).rows : [];
  const rows = (Object.keys(steps) as BackendName[]).flatMap(
    backend => (backend === row.backend ? row : old.find(each => each.backend === backend)) ?? [],
  );
  const results = { command: 'npx tsx bench/browser.bench.ts', ...where, chromium: site.version, gpu, rows };
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}
