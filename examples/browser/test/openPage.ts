import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright';
import { build, preview, type PreviewServer } from 'vite';
import type { Measured, Report, Request, StepReport } from '../src/messages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Chromium of the system, with a GPU that it plays on the CPU. */
export const launchOptions = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--enable-features=Vulkan',
    '--ignore-gpu-blocklist',
    '--js-flags=--expose-gc',
  ],
};

/** The built page, and a browser for it. */
export interface Site {
  /**
   * Opens the page.
   *
   * @param query - of its address, such as `'?backend=ort-wasm'`
   * @param isIsolated - whether it is served as its `vite.config.ts` says. @defaultValue true
   */
  open(query?: string, isIsolated?: boolean): Promise<OpenPage>;
  /** Of the browser. */
  readonly version: string;
  close(): Promise<void>;
}

/** The page, and what its worker has told it. */
export interface OpenPage {
  readonly page: Page;
  /** What was said on the console. */
  readonly said: readonly string[];
  reports(): Promise<Report[]>;
  steps(): Promise<StepReport[]>;
  /** Waits until the button says so and can be used. */
  ready(button: 'Train' | 'Go on' | 'Train again'): Promise<void>;
  set(slider: string, position: number): Promise<void>;
  /** How long so many training steps on the page's text take. */
  measure(steps: number): Promise<Measured>;
  close(): Promise<void>;
}

const notIsolated = { 'Cross-Origin-Opener-Policy': 'unsafe-none', 'Cross-Origin-Embedder-Policy': 'unsafe-none' };

/** Builds the page from the built packages, and serves it. */
export async function openSite(): Promise<Site> {
  const outDir = await mkdtemp(join(tmpdir(), 'dropbp-page-'));
  await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } });
  const serve = (headers: Record<string, string>): Promise<PreviewServer> =>
    preview({ root, logLevel: 'error', build: { outDir }, preview: { port: 0, headers } });
  const [server, plain] = await Promise.all([serve({}), serve(notIsolated)]);
  const browser = await chromium.launch(launchOptions);
  return {
    version: browser.version(),
    async open(query = '', isIsolated = true) {
      const url = (isIsolated ? server : plain).resolvedUrls!.local[0]!;
      return openPage(await browser.newContext(), `${url}${query}`);
    },
    async close() {
      await browser.close();
      await Promise.all([server.close(), plain.close()]);
      await rm(outDir, { recursive: true });
    },
  };
}

/** Keeps what the page's worker says. As text, as compilers put names of their own into functions, which the page does not have. */
const listening = `
  globalThis.reports = [];
  globalThis.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      globalThis.engine = this;
      this.addEventListener('message', ({ data }) => reports.push(data));
    }
  };
`;

async function openPage(context: BrowserContext, url: string): Promise<OpenPage> {
  const page = await context.newPage();
  page.setDefaultTimeout(150_000);
  const said: string[] = [];
  page.on('console', message => said.push(message.text()));
  page.on('pageerror', error => said.push(error.message));
  await page.addInitScript(listening);
  await page.goto(url);
  const reports = (): Promise<Report[]> =>
    page.evaluate(() => (globalThis as unknown as { reports: Report[] }).reports);
  const reported = async <K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> => {
    for (;;) {
      for (const report of await reports()) {
        if (report.kind === 'failed') throw new Error(report.message);
        if (report.kind === kind) return report as Extract<Report, { kind: K }>;
      }
      await page.waitForTimeout(500);
    }
  };
  return {
    page,
    said,
    reports,
    steps: async () => (await reports()).filter(report => report.kind === 'step'),
    ready: button =>
      page
        .waitForFunction(text => {
          const train = document.querySelector<HTMLButtonElement>('#train')!;
          const problem = document.querySelector<HTMLElement>('#problem')!;
          if (!problem.hidden) throw new Error(problem.textContent);
          return train.textContent === text && !train.disabled;
        }, button)
        .then(() => undefined),
    set: (slider, position) => page.locator(`#${slider}`).fill(String(position)),
    async measure(steps) {
      const text = await page.inputValue('#text');
      const request: Request = { kind: 'measure', text, steps };
      await page.evaluate(
        request => (globalThis as unknown as { engine: Worker }).engine.postMessage(request),
        request,
      );
      return reported('measured');
    },
    close: () => context.close(),
  };
}
