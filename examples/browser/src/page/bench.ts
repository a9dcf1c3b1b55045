import { backends, type BackendName, type Measured } from '../messages.ts';
import { chosenThreads, keepBackend } from './backendChoice.ts';
import { element } from './element.ts';
import { startEngine } from './engine.ts';

/** What the measurements need of the page. */
interface Page {
  text(): string;
  /** Ends what the page computes. */
  pause(): void;
  /** Starts it again, without a run. @param backend - undefined where none runs */
  goOn(backend: BackendName | undefined): void;
}

const measuredSteps = 5;

/** JavaScript alone is never the fastest, and a step in it takes minutes. */
const compared = (Object.keys(backends) as BackendName[]).filter(backend => backend !== 'tfjs-cpu');

/** Shows the part of the page in which backends are compared. */
export function showBench(page: Page): void {
  element('bench', HTMLElement).hidden = false;
  const start = element('measure', HTMLButtonElement);
  const status = element('measuring', HTMLSpanElement);
  const rows = element('measured', HTMLTableSectionElement);
  start.addEventListener('click', () => {
    start.disabled = true;
    rows.replaceChildren();
    page.pause();
    void measureAll(
      page.text(),
      (backend, result) => {
        const cells = 'message' in result ? [result.message] : numbers(result);
        rows.append(row([backends[backend], ...cells]));
      },
      backend => {
        status.textContent = `${backends[backend]} …`;
      },
    ).then(fastest => {
      status.textContent = fastest === undefined ? 'None runs here' : `The fastest: ${backends[fastest]}`;
      if (fastest !== undefined) keepBackend(fastest);
      start.disabled = false;
      page.goOn(fastest);
    });
  });
}

type Result = Measured | { readonly message: string };

/** Measures one backend after the other. @returns the fastest with DropBP, where one runs */
async function measureAll(
  text: string,
  onResult: (backend: BackendName, result: Result) => void,
  onStart: (backend: BackendName) => void,
): Promise<BackendName | undefined> {
  let fastest: { readonly backend: BackendName; readonly seconds: number } | undefined;
  for (const backend of compared) {
    onStart(backend);
    const result = await measure(backend, text);
    onResult(backend, result);
    if ('message' in result) continue;
    const seconds = mean(result.withDrops);
    if (fastest === undefined || seconds < fastest.seconds) fastest = { backend, seconds };
  }
  return fastest?.backend;
}

function measure(backend: BackendName, text: string): Promise<Result> {
  return new Promise(resolve => {
    const finish = (result: Result): void => {
      engine.end();
      resolve(result);
    };
    const engine = startEngine(
      report => {
        if (report.kind === 'loaded') engine.ask({ kind: 'measure', text, steps: measuredSteps });
        else if (report.kind === 'measured') finish(report);
        else if (report.kind === 'failed') finish({ message: report.message });
      },
      backend,
      chosenThreads(),
    );
  });
}

function numbers({ withoutDrops, withDrops, first, loss }: Measured): string[] {
  return [
    ...[median(withoutDrops), mean(withDrops), first].map(seconds => `${Math.round(1000 * seconds)} ms`),
    loss.toFixed(4),
  ];
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

/** Steps that drop differ in what they have to do, so none of them stands for all. */
function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function row([head = '', ...cells]: readonly string[]): HTMLTableRowElement {
  const made = document.createElement('tr');
  made.append(
    ...[head, ...cells].map((textContent, i) =>
      Object.assign(document.createElement('td'), {
        textContent,
        ...(i === 1 && cells.length === 1 && { colSpan: 4, className: 'reason' }),
      }),
    ),
  );
  return made;
}
