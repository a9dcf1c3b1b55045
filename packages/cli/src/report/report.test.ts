import fc from 'fast-check';
import { parse, type DefaultTreeAdapterTypes } from 'parse5';
import { describe, expect, it } from 'vitest';
import { fakeRun } from '../../test/fakeRun.ts';
import { alignSeries } from './charts/alignSeries.ts';
import { chartSpecs, maxPoints, type ChartSpec } from './charts/chartSpecs.ts';
import { renderReport } from './renderReport.ts';
import { runFault } from '../record/runFault.ts';
import { smoothCurve } from './charts/smoothCurve.ts';

type Element = DefaultTreeAdapterTypes.Element;

/** The elements of a page, whose markup must be free of errors. */
function elementsOf(page: string): Element[] {
  const errors: string[] = [];
  const document = parse(page, { onParseError: error => void errors.push(error.code) });
  expect(errors).toEqual([]);
  const all: Element[] = [];
  const visit = (node: DefaultTreeAdapterTypes.ParentNode): void => {
    for (const child of node.childNodes) {
      if (!('tagName' in child)) continue;
      all.push(child);
      visit(child);
    }
  };
  visit(document);
  return all;
}

function textOf(element: Element): string {
  return element.childNodes
    .map(node => ('value' in node ? node.value : 'tagName' in node ? textOf(node) : ''))
    .join('');
}

const attribute = (element: Element, name: string): string | undefined =>
  element.attrs.find(attr => attr.name === name)?.value;

describe('renderReport', () => {
  const plain = fakeRun({ name: 'LoRA', branches: [], trainSeconds: 8, peakMemoryBytes: 5e8 });
  const page = renderReport([plain, fakeRun()]);

  it('stands alone', () => {
    for (const element of elementsOf(page)) {
      expect(['link', 'img', 'iframe', 'object', 'embed', 'base']).not.toContain(element.tagName);
      for (const name of ['src', 'href', 'srcset', 'action']) expect(attribute(element, name)).toBeUndefined();
      if (element.tagName === 'style') expect(textOf(element)).not.toMatch(/@import|url\(/);
    }
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"`);
  });
  it('says that the page fits a phone and the dark', () => {
    expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1" />');
    expect(page).toContain('@media (prefers-color-scheme: dark)');
  });
  it('carries the licence of the chart library', () => {
    expect(page).toContain('uPlot');
    expect(page).toContain('Permission is hereby granted, free of charge');
  });
  it('compares the runs with the first', () => {
    const rows = elementsOf(page)
      .filter(element => element.tagName === 'tr')
      .map(row => row.childNodes.filter((node): node is Element => 'tagName' in node).map(textOf));
    expect(rows).toContainEqual(['', 'LoRA', 'LoRA + DropBP 0.5']);
    expect(rows).toContainEqual(['Held-out loss before', '5.200', '5.200']);
    expect(rows).toContainEqual(['Held-out loss after', '3.100', '3.100 +0.0 %']);
    expect(rows).toContainEqual(['Training time', '8.00 s', '5.00 s −38 %']);
    expect(rows).toContainEqual(['Peak memory', '477 MiB', '381 MiB −20 %']);
    expect(rows).toContainEqual(['Backward pass dropped', '50 %', '50 %']);
  });
  it('says how long a run was, what it dropped and what it was measured on, and why', () => {
    const costs = { dropped: 0.5, why: 'as --rate says', saved: 0.24, savedAtHalf: 0.24, trainsMost: false };
    const length = { epochs: 3, why: '3 epochs, the default for this much data' };
    const drops = { allocation: 'depth', sampling: 'nested' };
    const run = fakeRun({ costs, length, drops, data: { ...fakeRun().data, heldOutRows: 6 } });
    expect(runFault(run)).toBeUndefined();
    expect(renderReport([run])).toContain(
      'LoRA + DropBP 0.5: 20 steps: 3 epochs, the default for this much data. DropBP: 50 % of the backward pass is dropped, by depth, as --rate says. Drops save about 24 % of a step&#39;s FLOPs, and a step learns less. Fewer steps without drops (--rate 0) learned more in the same time. Held-out rows: 6.</p>',
    );
    expect(runFault({ ...run, costs: { ...costs, saved: 'much' } })).toBe('costs.saved');
    expect(renderReport([fakeRun({ heldOut: [{ step: 0, loss: 2 }, { step: 20, loss: 3 }] })])).toContain(
      'training did not lower the held-out loss',
    ); // prettier-ignore
  });
  it('shows the samples, equal beginnings once', () => {
    const samples = elementsOf(page)
      .filter(element => element.tagName === 'blockquote')
      .map(textOf);
    expect(samples).toEqual([
      ...['And it came to <b>pass</b>', 'And it came to pass', 'And it came to pass'],
      ...['And it came to be', 'And it came to be'],
    ]);
  });
  it('shows the state that was kept, where it is not the last', () => {
    const heldOut = [5.2, 3, 3.1].map((loss, i) => ({ step: 10 * i, loss }));
    const early = renderReport([fakeRun({ heldOut, ended: { why: 'patience', keptStep: 10 } })]);
    const elements = elementsOf(early);
    const texts = (tag: string) => elements.filter(({ tagName }) => tagName === tag).map(textOf);
    expect(texts('h3')).toContain('After step 10: LoRA + DropBP 0.5');
    expect(texts('blockquote')).toEqual(['And it came to <b>pass</b>', 'And it came to be', 'And it came to pass']);
    const figures = Object.fromEntries(texts('dt').map((title, i) => [title, texts('dd')[i]]));
    expect(figures).toMatchObject({
      ...{ 'Held-out loss after': '3.100', 'Best held-out loss': '3.000', 'Step that was kept': '10' },
    });
    expect(early).toContain('ended early after step 20: the held-out loss no longer fell');
    expect(early).toContain('in nats per token. Kept: step 10 with 3.000.');
  });
  it('has a place for each chart and its data', () => {
    const elements = elementsOf(page);
    const charts = elements.filter(element => attribute(element, 'data-chart') !== undefined);
    const data = elements.find(element => attribute(element, 'id') === 'chart-data')!;
    const specs = JSON.parse(textOf(data)) as ChartSpec[];
    expect(charts).toHaveLength(specs.length);
    expect(specs.map(spec => spec.title)).toEqual([
      ...['Training loss', 'Held-out loss', 'Dropped backward pass', 'Drop rate of each branch'],
      ...['Sensitivity of each branch'],
      ...['Seconds per step', 'Memory', 'Gradient norm', 'Learning rate'],
    ]);
    for (const { data, series } of specs) {
      expect(data).toHaveLength(series.length + 1);
      for (const column of data) expect(column).toHaveLength(data[0]!.length);
    }
  });
  it('lets no text become markup', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('</script>', '<!--', '<img src=x>', `" onload="`, '&amp;', ''),
        (a, b) => {
          // The parser turns what HTML has no place for into U+FFFD, or reports it.
          const text = `${a}${b}${a}`.replaceAll(/[^\t\n -~\u00a0-\ud7ff]/g, '');
          const run = fakeRun({
            name: text,
            options: { [`x${text}`]: text },
            model: { ...plain.model, source: `m${text}` },
            samples: {
              prompt: text,
              texts: [0, 10, 20].map(step => ({ step, text: `${text}${step}` })),
            },
          });
          const tags = (runs: Parameters<typeof renderReport>[0]) => elementsOf(renderReport(runs)).map(e => e.tagName);
          expect(tags([run])).toEqual(tags([fakeRun({ options: { x: 1 } })]));
        },
      ),
      { numRuns: 50 },
    );
  });
  it('leaves out what a run has not', () => {
    const bare = renderReport([fakeRun({ heldOut: [], samples: null, branches: [], steps: [] })]);
    expect(bare).not.toContain('Held-out loss');
    expect(bare).not.toContain('Text samples');
    expect(elementsOf(bare).filter(element => attribute(element, 'data-chart') !== undefined)).toEqual([]);
    expect(() => renderReport([])).toThrow(RangeError);
  });
});

describe('runFault', () => {
  it('finds nothing in a run, and names what is not as it should be', () => {
    expect(runFault(JSON.parse(JSON.stringify(fakeRun())))).toBeUndefined();
    expect(runFault(fakeRun({ samples: null, ended: null }))).toBeUndefined();
    const [step, ...steps] = fakeRun().steps;
    expect(runFault({ ...fakeRun(), steps: [step, { ...steps[0], loss: '5' }] })).toBe('steps.1.loss');
    expect(runFault({ ...fakeRun(), model: undefined })).toBe('model');
    expect(runFault({ ...fakeRun(), branches: [7] })).toBe('branches.0');
    expect(runFault([])).toBe('the whole');
  });
});

describe('chartSpecs', () => {
  it('names branches and shows bars for one run, dots for several', () => {
    const rates = (runs: Parameters<typeof chartSpecs>[0]) =>
      chartSpecs(runs).find(chart => chart.title.startsWith('Drop rate'))!;
    expect(rates([fakeRun()])).toMatchObject({
      xNames: ['model.layers.0.self_attn', 'model.layers.0.mlp'],
      series: [{ style: 'bars', run: 0 }],
      data: [
        [0, 1],
        [0.3, 0.7],
      ],
    });
    expect(rates([fakeRun(), fakeRun()]).series.map(series => series.style)).toEqual(['dots', 'dots']);
  });
  it('has gaps where a step had no gradient or no finite loss', () => {
    const steps = fakeRun().steps.map(step => ({ ...step, loss: step.step === 5 ? NaN : 1 }));
    const charts = chartSpecs([fakeRun({ steps })]);
    const norms = charts.find(chart => chart.title === 'Gradient norm')!;
    expect(norms.data[0]).not.toContain(4);
    const raw = charts[0]!.data[1]!;
    expect(raw[4]).toBeNull();
    expect(raw[5]).toBe(1);
  });
});

describe('alignSeries', () => {
  it('puts curves on one axis', () => {
    const curves = [
      { x: [1, 3], y: [10, 30] },
      { x: [2, 3], y: [0.2, 0.3] },
    ];
    expect(alignSeries(curves, 10)).toEqual([
      [1, 2, 3],
      [10, null, 30],
      [null, 0.2, 0.3],
    ]);
    expect(alignSeries([], 10)).toEqual([[]]);
  });
  it('averages long curves, the last point included', () => {
    const x = Array.from({ length: 7 }, (_, i) => i + 1);
    expect(alignSeries([{ x, y: x }], 3)).toEqual([
      [3, 6, 7],
      [2, 5, 7],
    ]);
    const long = Array.from({ length: 54_321 }, (_, i) => i);
    expect(alignSeries([{ x: long, y: long }], maxPoints)[0]!.length).toBeLessThanOrEqual(maxPoints);
  });
});

describe('smoothCurve', () => {
  it('leaves straight lines as they are', () => {
    const small = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(small, small, fc.nat(40), fc.integer({ min: 1, max: 30 }), (start, slope, length, span) => {
        const line = Array.from({ length }, (_, i) => start + slope * i);
        smoothCurve(line, span).forEach((value, i) => expect(value).toBeCloseTo(line[i]!, 6));
      }),
    );
  });
  it('goes beyond no value: a share stays one', () => {
    const dropped = [1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 1];
    for (const value of smoothCurve(dropped, 7)) {
      expect(value).toBeLessThanOrEqual(1);
      expect(value).toBeGreaterThanOrEqual(0);
    }
  });
  it('evens out noise', () => {
    const noisy = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    expect(Math.max(...smoothCurve(noisy, 21).map(Math.abs))).toBeLessThan(0.3);
  });
});
