import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';
import { loadModel } from '@dropbp/models';
import '@dropbp/tfjs-backend-ort';
import type { Settings } from '../src/messages.ts';
import { startRun } from '../src/worker/trainingRun.ts';
import { writeText } from '../src/worker/writeText.ts';
import { openSite, type OpenPage, type Site } from './openPage.ts';

/*
 * The example in Chromium: on WebAssembly, and on WebGPU, whose GPU Chromium plays on the CPU. What it computes is compared with Node.
 */

const base = 'models/austen-base';
const settings: Settings = { rank: 4, dropRate: 0.5, learningRate: 0.01, steps: 10, batch: 1 };
const sampleTokens = 10;
const prompt = 'And it came to pass';

let site: Site;
let model: Model;
let tokenizer: Tokenizer;
let scratch: string;
let text: string;

async function logitsOf(of: { forward: Model['forward'] }): Promise<Float32Array> {
  const result = of.forward([tokenizer.encode(prompt)]);
  const values = Float32Array.from((await result.data()) as Float32Array);
  result.dispose();
  return values;
}

/** The same run in Node, after so many steps. */
async function inNode(steps: number, settings: Settings): Promise<{ losses: number[]; logits: Float32Array }> {
  const run = startRun(model, tokenizer, text, settings);
  const losses: number[] = [];
  for await (const { loss } of run.steps()) if (losses.push(loss) === steps) break;
  const logits = await logitsOf(run.tuned);
  run.tuned.dispose();
  return { losses, logits };
}

beforeAll(async () => {
  await tf.setBackend('ort');
  [site, model, tokenizer, scratch] = await Promise.all([
    openSite(),
    loadModel(base),
    loadTokenizer(base),
    mkdtemp(join(tmpdir(), 'dropbp-browser-')),
  ]);
  text = (await readFile('LICENSE', 'utf8')).slice(0, 2000).repeat(4);
});

afterAll(async () => {
  await site.close();
  model.dispose();
  await rm(scratch, { recursive: true });
});

// A GPU that a processor plays takes ten seconds for a step.
describe.each([
  { backend: 'ort-wasm', name: 'engine on WebAssembly', least: settings.steps },
  { backend: 'ort-webgpu', name: 'engine on WebGPU', least: 3 },
])('the page on $backend', ({ backend, name, least }) => {
  let open: OpenPage;
  let reference: Awaited<ReturnType<typeof inNode>>;
  beforeAll(async () => {
    open = await site.open(`?backend=${backend}`);
    await open.ready('Train');
  });
  afterAll(() => open.close());

  const stepsBeyond = (count: number): Promise<void> =>
    expect.poll(async () => (await open.steps()).length, { timeout: 150_000 }).toBeGreaterThan(count);

  it('says what computes', async () => {
    expect(await open.page.textContent('#backend')).toContain(name);
  });

  it('trains, stops, and goes on as if it had not stopped', async () => {
    const { page } = open;
    await page.fill('#text', text);
    await page.fill('#prompt', prompt);
    await open.set('rank', Math.log2(settings.rank));
    await open.set('dropRate', settings.dropRate);
    await open.set('learningRate', Math.log10(settings.learningRate));
    await open.set('steps', settings.steps);
    await open.set('batch', settings.batch);
    await open.set('sampleTokens', sampleTokens);
    await page.click('#train');
    await stepsBeyond(0);
    await page.click('#stop');
    await open.ready('Go on');
    expect((await open.steps()).length).toBeLessThan(settings.steps);
    await page.click('#train');
    if (least < settings.steps) {
      await stepsBeyond(least - 1);
      await page.click('#stop');
    }
    await open.ready(least < settings.steps ? 'Go on' : 'Train again');
    const steps = await open.steps();
    reference = await inNode(steps.length, settings);
    expect(steps.map(({ step }) => step)).toEqual(reference.losses.map((_, i) => i + 1));
    for (const [i, { loss }] of steps.entries()) {
      expect(Math.abs(loss - reference.losses[i]!), `step ${i + 1}`).toBeLessThan(2e-3);
    }
    if (least === settings.steps) expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss - 0.3);
    expect(Math.max(...steps.map(({ dropped }) => dropped))).toBeGreaterThan(0.2);
  });

  it('writes with what it trained', async () => {
    const [before, now] = await Promise.all(['#before', '#now'].map(id => open.page.textContent(id)));
    expect(before).toMatch(new RegExp(`^${prompt}.{10}`, 's'));
    expect(now).toMatch(new RegExp(`^${prompt}.{10}`, 's'));
    // Three steps may leave the likeliest words as they are.
    if (least === settings.steps) expect(now).not.toBe(before);
  });

  it('gives the adapter as a download, which Node loads as what it is', async () => {
    const { page } = open;
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    expect(download.suggestedFilename()).toBe('adapter.zip');
    const files = unzipSync(await readFile(await download.path()));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(scratch, name), bytes);
    const tuned = compose(model, await loadAdapter(scratch));
    const loaded = await logitsOf(tuned);
    const largest = Math.max(...loaded.map(Math.abs));
    const farthest = Math.max(...loaded.map((value, i) => Math.abs(value - reference.logits[i]!)));
    expect(farthest / largest).toBeLessThan(5e-3);
    let written = prompt;
    for await (const more of writeText(tuned, tokenizer, prompt, sampleTokens)) written += more;
    expect(await page.textContent('#now')).toBe(written);
    tuned.dispose();
  });

  it('says nothing on the console', () => {
    expect(open.said).toEqual([]);
  });
});

describe('the page', () => {
  it('takes no GPU that is played by a processor of its own accord', async () => {
    const open = await site.open();
    await open.ready('Train');
    expect(await open.page.textContent('#backend')).toContain('engine on WebAssembly');
    await open.close();
  });

  it('refuses a backend that there is not, and says which there are', async () => {
    const open = await site.open('?backend=ort-gpu');
    await open.page.waitForSelector('#problem:not([hidden])');
    expect(await open.page.textContent('#problem')).toMatch(/^There is no backend 'ort-gpu'; there are ort-wasm, /);
    expect(await open.page.textContent('#backend')).toBe('Not started');
    await open.close();
  });

  it("computes on TensorFlow.js's own WebAssembly where the address asks for it", async () => {
    const open = await site.open('?backend=tfjs-wasm');
    await open.ready('Train');
    expect(await open.page.textContent('#backend')).toBe('Backend: TensorFlow.js on WebAssembly, 1 thread');
    await open.close();
  });

  it('says what is wrong with a text, and works on', async () => {
    const open = await site.open('?backend=ort-wasm');
    await open.ready('Train');
    await open.page.fill('#text', 'too short');
    await open.page.click('#train');
    await open.page.waitForSelector('#problem:not([hidden])');
    expect(await open.page.textContent('#problem')).toMatch(
      /^The text is too short: a step takes 512 tokens, and it has \d\./,
    );
    await open.page.fill('#text', text);
    await open.page.click('#train');
    await expect.poll(async () => (await open.steps()).length, { timeout: 100_000 }).toBeGreaterThan(0);
    await open.close();
  });
});

it('without isolation the page works on one thread, and says so once', async () => {
  const open = await site.open('?backend=ort-wasm', false);
  await open.ready('Train');
  expect(await open.page.textContent('#backend')).toContain('1 thread');
  expect(open.said).toEqual([
    expect.stringContaining('computes on one core, because this page is not cross-origin isolated'),
  ]);
  await open.close();
});
