import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Answer, Question } from './worker.ts';

const LONGEST_MS = 20_000;
const MOST_BYTES = 2 * 2 ** 30;

/** Asks a process of its own, which is ended and started again where an input takes too long or too much. */
export interface Watched {
  ask(question: Question): Promise<Answer>;
  end(): void;
}

export function watchWorker(): Watched {
  let worker: Promise<ChildProcess> | undefined;
  return {
    async ask(question) {
      worker ??= startWorker();
      const child = await worker;
      const answer = await answerOf(child, question);
      if (child.exitCode !== null || child.killed) worker = undefined;
      return answer;
    },
    end() {
      void worker?.then(child => child.disconnect());
      worker = undefined;
    },
  };
}

function startWorker(): Promise<ChildProcess> {
  const execArgv = ['--import', 'tsx', '--max-old-space-size=1536'];
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
  const child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), { execArgv, env, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] }); // prettier-ignore
  let told = '';
  child.stderr!.on('data', (piece: Buffer) => void (told = (told + piece.toString()).slice(-4_000)));
  Object.defineProperty(child, 'told', { get: () => told });
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', code => reject(new Error(`the process of the targets ended with ${code}: ${told}`)));
  });
}

/** The answer, or what was wrong where the process did not live to give it. */
function answerOf(child: ChildProcess, question: Question): Promise<Answer> {
  return new Promise(resolve => {
    const end = (answer: Answer): void => {
      clearTimeout(late);
      clearInterval(watch);
      child.off('message', answered);
      child.off('exit', ended);
      resolve(answer);
    };
    const fail = (fault: string, cpuMs = LONGEST_MS, rssBytes = 0): void => {
      child.kill('SIGKILL');
      end({ outcome: 'fault', fault, cpuMs, grownBytes: 0, rssBytes });
    };
    const answered = (answer: unknown): void => end(answer as Answer);
    const ended = (code: number | null): void => {
      const { told = '' } = child as { told?: string };
      fail(
        `the process ended with ${code ?? 'a signal'}: ${told
          .slice(told.search(/\w*Error/))
          .split('\n')
          .slice(0, 12)
          .join('\n')}`,
      );
    };
    const late = setTimeout(() => fail(`time: no end within ${LONGEST_MS / 1000} s`), LONGEST_MS);
    const watch = setInterval(() => {
      const bytes = residentBytes(child.pid!);
      if (bytes > MOST_BYTES) fail(`memory: more than ${MOST_BYTES / 2 ** 30} GiB`, 0, bytes);
    }, 250);
    child.on('message', answered);
    child.once('exit', ended);
    child.send(question);
  });
}

/** What the process holds now; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
