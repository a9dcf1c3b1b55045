import { isMainThread, SHARE_ENV, Worker } from 'node:worker_threads';
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

const assignment = `Object.assign(process.env, ${JSON.stringify(variables)})`;

/**
 * Tells ONNX Runtime to collect and send nothing, whatever the environment said before. Call it before the native library loads.
 *
 * @param patienceMs - how long another thread may take where this one cannot set variables of the process
 * @throws Problem where they cannot be set in that time
 */
export function turnTelemetryOff(patienceMs: number = 2000): void {
  Object.assign(process.env, variables);
  if (isTelemetryOff()) return;
  try {
    if (isMainThread) askNewThread(patienceMs);
    else askMainThread(patienceMs);
  } catch (cause) {
    throw problem('tfjs-backend-ort', {
      what: "ONNX Runtime's telemetry could not be turned off from this thread, so ONNX Runtime was not loaded",
      fix: `start the program with ${Object.entries(variables)
        .map(pair => pair.join('='))
        .join(' ')} in its environment`,
      cause,
    });
  }
}

/** For a program that has put a copy in the place of `process.env`: a new thread has one that reaches the process. */
function askNewThread(patienceMs: number): void {
  const thread = new Worker(assignment, { eval: true, env: SHARE_ENV });
  waitUntilOff(patienceMs);
  void thread.terminate();
}

/** For a worker: its `process.env` is a copy, and the main thread's is not. */
function askMainThread(patienceMs: number): void {
  // Asked for here, because a Node without an inspector has no such module.
  const session = new (process.getBuiltinModule('node:inspector').Session)();
  session.connectToMainThread();
  try {
    session.post('Runtime.evaluate', { expression: assignment });
    waitUntilOff(patienceMs);
  } finally {
    session.disconnect();
  }
}

function waitUntilOff(patienceMs: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + patienceMs;
  while (!isTelemetryOff()) {
    if (performance.now() > end) throw new Error(`the other thread did not answer within ${patienceMs} ms`);
    Atomics.wait(clock, 0, 0, 5);
  }
}

/** Whether the environment of the process says so. `process.env` may say something else. */
export function isTelemetryOff(): boolean {
  const report: Report = process.report;
  const { excludeNetwork, excludeEnv } = report;
  // A report's part on the network would look up names.
  Object.assign(report, { excludeNetwork: true, excludeEnv: false });
  const { environmentVariables } = report.getReport() as { environmentVariables?: Record<string, string> };
  Object.assign(report, { excludeNetwork, excludeEnv });
  return Object.entries(variables).every(([name, value]) => environmentVariables?.[name] === value);
}
