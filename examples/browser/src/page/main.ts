import './style.css';
import { backends, type BackendName, type Report, type Stage } from '../messages.ts';
import { chosenBackend, chosenThreads } from './backendChoice.ts';
import { showBench } from './bench.ts';
import { download } from './download.ts';
import { element } from './element.ts';
import { startEngine, type Engine } from './engine.ts';
import { exampleText } from './exampleText.ts';
import { lossChart } from './lossChart.ts';
import { showSettings } from './settings.ts';

const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
const [train, stop, write, save] = ['train', 'stop', 'write', 'download'].map(button) as [
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
];
const text = element('text', HTMLTextAreaElement);
const prompt = element('prompt', HTMLInputElement);
const progress = element('progress', HTMLProgressElement);
const status = element('status', HTMLSpanElement);
const problem = element('problem', HTMLParagraphElement);
const samples: Readonly<Record<Stage, HTMLQuoteElement>> = {
  before: element('before', HTMLQuoteElement),
  now: element('now', HTMLQuoteElement),
};

const settings = showSettings();
const chart = lossChart();

/** What the worker does. */
let state: 'loading' | 'idle' | 'training' | 'stopping' | 'stopped' | 'writing' = 'loading';
let hasRun = false;
/** Whether a run is held that can go on. */
let isHeld = false;
let steps = 0;
let engine: Engine = startEngine(hear, chosenBackend(), chosenThreads());

function hear(report: Report): void {
  switch (report.kind) {
    case 'loading':
      progress.value = report.share;
      break;
    case 'loaded':
      showBackend(report.backend, report.threads);
      progress.value = 0;
      become('idle');
      break;
    case 'started':
      hasRun = true;
      status.textContent = `${count(report.trainTokens)} tokens, ${count(report.trainable)} numbers to train`;
      break;
    case 'step': {
      chart.add(report);
      progress.value = report.step / steps;
      const left = (steps - report.step) * report.seconds;
      const dropped = report.dropped > 0 ? `, ${Math.round(100 * report.dropped)} % dropped` : '';
      status.textContent = `Step ${report.step} of ${steps}, ${report.seconds.toFixed(2)} s each${dropped}, ${duration(left)} left`;
      break;
    }
    case 'stopped':
      isHeld = true;
      status.textContent = `${status.textContent.split(',')[0]!}: stopped`;
      writeNow();
      break;
    case 'finished':
      isHeld = false;
      status.textContent = `${steps} steps are done`;
      writeNow();
      break;
    case 'sample':
      samples[report.stage].textContent = report.text;
      if (report.isDone && report.stage === 'now') become(isHeld ? 'stopped' : 'idle');
      break;
    case 'adapter':
      download(report.files, 'adapter.zip');
      break;
    case 'measured':
      break;
    case 'failed':
      fail(report.message);
      break;
  }
}

function fail(message: string): void {
  problem.textContent = message;
  problem.hidden = false;
  problem.scrollIntoView({ block: 'nearest' });
  if (state === 'loading') {
    element('backend', HTMLParagraphElement).textContent = 'Not started';
    return;
  }
  // A text that could not be written ends no run.
  if (state !== 'writing') {
    isHeld = false;
    status.textContent = '';
  }
  become(isHeld ? 'stopped' : 'idle');
}

function become(next: typeof state): void {
  state = next;
  const isFree = state === 'idle' || state === 'stopped';
  train.disabled = !isFree;
  train.textContent = isHeld ? 'Go on' : hasRun ? 'Train again' : 'Train';
  stop.disabled = state !== 'training' && state !== 'stopped';
  stop.textContent = isHeld ? 'Train anew' : 'Stop';
  write.disabled = !isFree;
  save.disabled = !isFree || !hasRun;
}

function askText(stage: Stage): void {
  engine.ask({ kind: 'sample', prompt: prompt.value, maxNewTokens: settings().sampleTokens, stage });
}

function writeNow(): void {
  become('writing');
  askText('now');
}

function start(): void {
  const chosen = settings();
  ({ steps } = chosen);
  isHeld = false;
  problem.hidden = true;
  chart.start(steps);
  progress.value = 0;
  samples.now.textContent = '';
  status.textContent = 'Writes a sample first …';
  askText('before');
  engine.ask({ kind: 'train', text: text.value, settings: chosen });
  become('training');
}

train.addEventListener('click', () => {
  if (!isHeld) {
    start();
    return;
  }
  isHeld = false;
  problem.hidden = true;
  engine.ask({ kind: 'goOn' });
  become('training');
});

stop.addEventListener('click', () => {
  if (isHeld) {
    start();
    return;
  }
  engine.ask({ kind: 'stop' });
  status.textContent = `${status.textContent}, stopping …`;
  become('stopping');
});

write.addEventListener('click', () => {
  problem.hidden = true;
  askText('before');
  if (hasRun) writeNow();
});
save.addEventListener('click', () => engine.ask({ kind: 'adapter' }));

function showBackend(backend: BackendName, threads: number): void {
  const onThreads = backend.endsWith('wasm') ? `, ${threads} thread${threads === 1 ? '' : 's'}` : '';
  element('backend', HTMLParagraphElement).textContent = `Backend: ${backends[backend]}${onThreads}`;
}

// The text.
function showSize(): void {
  element('text-size', HTMLSpanElement).textContent = `${count(text.value.length)} letters`;
}
function setText(value: string): void {
  text.value = value;
  text.scrollTop = 0;
  showSize();
}
function takeText(read: Promise<string>): void {
  read.then(setText, (error: unknown) => fail((error as Error).message));
}
const file = element('file', HTMLInputElement);
text.addEventListener('input', showSize);
button('example').addEventListener('click', () => takeText(exampleText()));
button('clear').addEventListener('click', () => setText(''));
button('open').addEventListener('click', () => file.click());
file.addEventListener('change', () => {
  if (file.files?.[0]) takeText(file.files[0].text());
  file.value = '';
});
takeText(exampleText());

function count(value: number): string {
  return value.toLocaleString('en');
}
function duration(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

if (new URLSearchParams(location.search).has('bench')) {
  showBench({
    text: () => text.value,
    // Two models at once would take the memory and the cores from each other.
    pause() {
      engine.end();
      hasRun = isHeld = false;
      problem.hidden = true;
      become('loading');
    },
    goOn(backend) {
      engine = startEngine(hear, backend, chosenThreads());
    },
  });
}
