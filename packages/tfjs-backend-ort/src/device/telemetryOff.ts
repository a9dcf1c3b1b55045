import { isMainThread } from 'node:worker_threads';
import { problem } from '@dropbp/basics';

/** Its newer settings, which the types of Node 20 lack. */
type Report = NodeJS.ProcessReport & { excludeNetwork?: boolean; excludeEnv?: boolean };

/**
 * What ONNX Runtime 1.30 looks at once, when its library loads. On Linux and macOS the first switches off device id, event store and
 * uploader. On Windows, where events go to the system's own tracing (ETW), the library looks at the second alone, and then does not
 * register as a source of events.
 */
const variables: Readonly<Record<string, string>> = {
  ORT_DISABLE_TELEMETRY: '1',
  ...(process.platform === 'win32' && { ORT_RUNNING_UNIT_TESTS: '1' }),
};

/**
 * Tells ONNX Runtime to collect and send nothing, whatever the environment said before. Call it before the native library loads.
 *
 * @param patienceMs - how long the main thread may take to answer a worker
 * @throws Problem in a worker thread whose main thread does not answer
 */
export function turnTelemetryOff(patienceMs: number = 2000): void {
  Object.assign(process.env, variables);
  // A worker's `process.env` is a copy. The library reads the environment of the process, which the main thread alone can set.
  if (isMainThread || isTelemetryOff()) return;
  try {
    askMainThread(patienceMs);
  } catch (cause) {
    throw problem('tfjs-backend-ort', {
      what: "a worker thread could not turn off ONNX Runtime's telemetry, so it did not load ONNX Runtime",
      fix: `start the program with ${Object.entries(variables)
        .map(pair => pair.join('='))
        .join(' ')} in its environment`,
      cause,
    });
  }
}

/** Has the main thread set the variables, and waits for it. */
function askMainThread(patienceMs: number): void {
  // Asked for here, because a Node without an inspector has no such module.
  const session = new (process.getBuiltinModule('node:inspector').Session)();
  session.connectToMainThread();
  try {
    session.post('Runtime.evaluate', { expression: `Object.assign(process.env, ${JSON.stringify(variables)})` });
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + patienceMs;
    while (!isTelemetryOff()) {
      if (performance.now() > end) throw new Error(`the main thread did not answer within ${patienceMs} ms`);
      Atomics.wait(clock, 0, 0, 5);
    }
  } finally {
    session.disconnect();
  }
}

/** Whether the environment of the process says so. A worker's `process.env` may say something else. */
export function isTelemetryOff(): boolean {
  const report: Report = process.report;
  const { excludeNetwork, excludeEnv } = report;
  // A report's part on the network would look up names.
  Object.assign(report, { excludeNetwork: true, excludeEnv: false });
  const { environmentVariables } = report.getReport() as { environmentVariables?: Record<string, string> };
  Object.assign(report, { excludeNetwork, excludeEnv });
  return Object.entries(variables).every(([name, value]) => environmentVariables?.[name] === value);
}
