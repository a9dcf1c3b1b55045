import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LONGEST_MS = 10_000;

/** What Python made of an input; neither where it did not come to an end. */
export interface PythonAnswer {
  readonly value?: unknown;
  readonly error?: string;
}

/** A process of Python that answers one question after the other, and is started again where it does not answer. */
export interface Python {
  ask(question: object): Promise<PythonAnswer>;
  end(): void;
}

export function startPython(): Python {
  let server: { process: ChildProcess; answers: AsyncIterator<string> } | undefined;
  const start = (): NonNullable<typeof server> => {
    const python = fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));
    const process = spawn(python, [fileURLToPath(new URL('server.py', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    process.stdin.on('error', () => undefined);
    return { process, answers: createInterface({ input: process.stdout })[Symbol.asyncIterator]() };
  };
  return {
    async ask(question) {
      const isNew = server === undefined;
      const { process, answers } = (server ??= start());
      process.stdin!.write(`${JSON.stringify(question)}\n`);
      let late: NodeJS.Timeout | undefined;
      const line = await Promise.race([
        answers.next(),
        new Promise<undefined>(resolve => {
          // Its libraries take long to load.
          late = setTimeout(() => resolve(undefined), LONGEST_MS * (isNew ? 6 : 1));
        }),
      ]);
      clearTimeout(late);
      if (line?.done === false) return JSON.parse(line.value) as PythonAnswer;
      process.kill('SIGKILL');
      server = undefined;
      return {};
    },
    end() {
      server?.process.kill();
    },
  };
}
