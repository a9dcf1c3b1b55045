import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runWatched, type Folders, type Watched } from './runWatched.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const command = path('../../packages/cli/bin/dropbp.js');
const model = path('../../models/austen-base');
const data = path('../../examples/data/kjv.txt.gz');
const program = (name: string): string => path(`./programs/${name}.mjs`);

const trainFlags = ['--steps', '3', '--batch', '2', '--time', '32'];
const training = ({ out }: Folders): string[] => [
  ...[command, 'train', '--model', model, '--data', data, '--out', out],
  ...trainFlags,
];

function expectSilent({ code, output, ...seen }: Watched): void {
  expect(seen, output).toEqual({ writes: [], network: [], identity: [] });
  expect(code, output).toBe(0);
}

describe('without a network, in an empty home', () => {
  it('`dropbp train` writes below --out and nowhere else, and asks nobody', () => {
    const run = runWatched(training);
    expectSilent(run);
    expect(run.output).toContain('adapter');
  });

  it('`dropbp generate` writes nothing and asks nobody', () => {
    expectSilent(runWatched(() => [command, 'generate', '--model', model, '--prompt', 'In', '--max-new-tokens', '4']));
  });

  it('so it is where the environment asks for telemetry', () => {
    expectSilent(runWatched(training, { ORT_DISABLE_TELEMETRY: '0' }));
  });

  it.each([
    ['a program with the packages', 'train', {}],
    ['the device `queue`', 'train', { DROPBP_ORT_DEVICE: 'queue' }],
    ['a worker thread', 'trainInWorker', {}],
  ])('so it is with %s', (_, name, environment) => {
    const run = runWatched(({ out }) => [program(name), model, data, out], environment);
    expectSilent(run);
    expect(run.output).toMatch(/^3 \d/m);
  });
});

describe('the check itself', () => {
  it('sees files of a process, a child and a thread, a look-up and a connection', () => {
    const { writes, network } = runWatched(() => [program('spy')]);
    expect(writes.map(file => file.replace(/.*\//, '')).sort()).toEqual(['child', 'own', 'thread']);
    expect(network).toContainEqual('openat /etc/resolv.conf');
    expect(network).toContainEqual(expect.stringMatching(/^connect\(.*port=htons\(443\).*192\.0\.2\.1/));
  });

  it('sees what ONNX Runtime does by itself: a device id, an event store, a look-up', () => {
    const { writes, network, identity } = runWatched(() => [program('loadAlone')]);
    expect(writes).toContainEqual(expect.stringMatching(/home\/cache\/Microsoft\/.*deviceid$/));
    expect(writes).toContainEqual(expect.stringMatching(/home\/cache\/Microsoft\/.*onnxruntime\.db$/));
    expect(writes).toContainEqual(expect.stringMatching(/temporary\/mat-debug-\d+\.log$/));
    expect(network).toContainEqual('openat /etc/resolv.conf');
    expect(identity).toContain('/etc/machine-id');
  });
});
