import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ortBinding } from './ortBinding.ts';
import { ortPackage } from './ortPackage.ts';
import { isTelemetryOff } from './ortTelemetry.ts';

describe("ONNX Runtime's telemetry", () => {
  const environment = process.env;
  const { ORT_DISABLE_TELEMETRY: before } = environment;
  beforeEach(() => {
    delete process.env.ORT_DISABLE_TELEMETRY;
    delete process.env.ORT_RUNNING_UNIT_TESTS;
  });
  afterEach(() => {
    process.env = environment;
    delete process.env.ORT_DISABLE_TELEMETRY;
    if (before !== undefined) process.env.ORT_DISABLE_TELEMETRY = before;
  });

  it('is off in the process once the package has been found', () => {
    expect(isTelemetryOff()).toBe(false);
    ortPackage();
    expect(isTelemetryOff()).toBe(true);
  });

  it('is off before the native library loads', () => {
    ortBinding();
    expect(isTelemetryOff()).toBe(true);
  });

  it('stays off where the environment asks for it', () => {
    process.env.ORT_DISABLE_TELEMETRY = '0';
    ortPackage();
    expect(isTelemetryOff()).toBe(true);
  });

  it('is off in the process where the program has replaced `process.env`', () => {
    process.env = { ...environment };
    ortPackage();
    expect(isTelemetryOff()).toBe(true);
  });

  /** Runs a statement in a worker, given what the module exports; `meanwhile` begins once the worker is about to. */
  async function inWorker(
    module: string,
    statement: string,
    meanwhile: () => void = () => undefined,
  ): Promise<unknown> {
    const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       import('tsx/esm/api').then(async ({ tsImport }) => {
         const given = await tsImport(${url(module)}, ${url('.')});
         parentPort.once('message', () => {
           try { ${statement}; parentPort.postMessage('loaded'); } catch (error) { parentPort.postMessage(error.message); }
         });
         parentPort.postMessage('ready');
       });`,
      { eval: true, env: { ORT_DISABLE_TELEMETRY: '1' } },
    );
    const next = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    await next();
    worker.postMessage('go');
    meanwhile();
    const said = await next();
    await worker.terminate();
    return said;
  }

  it('is off in the process when a worker loads it, whatever the environment of the worker says', async () => {
    expect(await inWorker('./ortPackage.ts', 'given.ortPackage()')).toBe('loaded');
    expect(isTelemetryOff()).toBe(true);
  });

  it('keeps a worker from loading it while the main thread does not answer', async () => {
    const block = (): void => void execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 2500)']);
    expect(await inWorker('./ortTelemetry.ts', 'given.turnTelemetryOff(50)', block)).toMatch(
      /^\[@dropbp\/tfjs-backend-ort\] ONNX Runtime's telemetry could not be turned off from this thread, so ONNX Runtime was not loaded; start the program with ORT_DISABLE_TELEMETRY=1/,
    );
  });
});
