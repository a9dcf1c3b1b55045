// Draws the report's charts from the JSON in the page. Runs in the browser as it is: no build step, no imports.
(() => {
  'use strict';

  const height = 240;
  const specs = JSON.parse(document.getElementById('chart-data').textContent);
  const charts = [];

  const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const runColor = run => color(`--run-${run % 6}`);
  const withAlpha = (hex, alpha) =>
    hex +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, '0');

  const formats = {
    number: value => (Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)))),
    percent: value => `${(value * 100).toFixed(0)} %`,
    scientific: value =>
      value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)
        ? String(Number(value.toPrecision(3)))
        : value.toExponential(1).replace('.0e', 'e').replace('e+', 'e'),
    bytes: value =>
      value >= 2 ** 30 ? `${Number((value / 2 ** 30).toPrecision(3))} GiB` : `${Math.round(value / 2 ** 20)} MiB`,
  };
  /** The ticks as texts, with as many digits as tell neighbours apart. */
  const apart = (ticks, format) => {
    const texts = ticks.map(format);
    if (new Set(texts).size === texts.length) return texts;
    const digits = Math.min(12, Math.ceil(-Math.log10(ticks[1] - ticks[0]) - 1e-6));
    return ticks.map(tick => tick.toFixed(Math.max(0, digits)));
  };
  const wholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6];
  // Two branches make a block.
  const evenSteps = wholeSteps.map(step => 2 * step);
  const powersOf2 = Array.from({ length: 50 }, (_, i) => 2 ** i);

  for (const holder of document.querySelectorAll('[data-chart]')) {
    const spec = specs[Number(holder.dataset.chart)];
    const chart = new uPlot(options(spec, holder.clientWidth), spec.data, holder);
    charts.push(chart);
    new ResizeObserver(() => {
      const width = holder.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height });
    }).observe(holder);
  }

  // The canvas knows no CSS variables: it is drawn again in the other colours.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const chart of charts) chart.redraw(false, true);
  });

  function options(spec, width) {
    const format = formats[spec.format];
    // Away from the pointer, the legend shows where the run got to.
    const shown = (chart, value, i, index) => {
      if (index === null || index === undefined) return spec.xNames ? null : lastOf(chart.data[i]);
      return value;
    };
    const show = value => (value === null || value === undefined ? '–' : format(value));
    const axis = {
      stroke: () => color('--quiet'),
      grid: { stroke: () => color('--grid'), width: 1 },
      ticks: { stroke: () => color('--grid'), width: 1, size: 5 },
      font: '12px system-ui, sans-serif',
    };
    return {
      width,
      height,
      padding: [8, 12, 0, 0],
      cursor: { sync: spec.xNames ? undefined : { key: 'steps' }, points: { size: 7 } },
      legend: { markers: { width: 0, fill: (chart, i) => markerFill(spec.series[i - 1]) } },
      hooks: { setSeries: [withItsFaintLine(spec)] },
      scales: { x: { time: false, range: spec.xNames ? paddedRange : undefined }, y: { range: yRange(spec) } },
      axes: [
        {
          ...axis,
          size: 30,
          incrs: spec.xNames ? evenSteps : wholeSteps,
          values: (chart, ticks) => ticks.map(tick => (spec.xNames ? blockOf(spec.xNames, tick) : tick)),
        },
        {
          ...axis,
          size: spec.format === 'bytes' ? 68 : 56,
          ...(spec.format === 'bytes' && { incrs: powersOf2 }),
          values: (chart, ticks) => apart(ticks, format),
        },
      ],
      series: [
        {
          label: spec.xLabel,
          value: (chart, x, i, index) => spec.xNames?.[x] ?? shown(chart, x, 0, index) ?? '–',
        },
        ...spec.series.map(series => ({
          label: series.label,
          spanGaps: true,
          class: series.style,
          value: (chart, value, i, index) => show(shown(chart, value, i, index)),
          ...look(series),
        })),
      ],
    };
  }

  function look({ run, style }) {
    const stroke = () => runColor(run);
    if (style === 'faint') return { stroke: () => withAlpha(runColor(run), 0.3), width: 1, points: { show: false } };
    if (style === 'points') return { stroke, width: 2, points: { show: true, size: 7, fill: stroke, stroke } };
    if (style === 'dots') return { stroke, width: 0, paths: () => null, points: { show: true, size: 8, fill: stroke } };
    if (style === 'bars') {
      const fill = () => withAlpha(runColor(run), 0.75);
      return { stroke, fill, width: 0, paths: uPlot.paths.bars({ size: [0.75, 40] }), points: { show: false } };
    }
    return { stroke, width: 2, points: { show: false } };
  }

  // The legend names each run once: switching it switches its faint line as well.
  function withItsFaintLine({ series }) {
    return (chart, switched, { show }) => {
      if (switched === null || show === undefined) return;
      series.forEach(({ run, style }, i) => {
        if (style === 'faint' && run === series[switched - 1].run && i + 1 !== switched) {
          chart.setSeries(i + 1, { show });
        }
      });
    };
  }

  // In the page, unlike on the canvas, variables follow the colour scheme by themselves.
  function markerFill(series) {
    if (series === undefined) return 'transparent';
    return `var(--run-${series.run % 6})`;
  }

  function yRange({ fromZero }) {
    return (chart, min, max) => {
      if (min === null || max === null) return [0, 1];
      const low = fromZero ? 0 : min;
      const margin = (max - low || Math.abs(max) || 1) * 0.06;
      return [fromZero ? 0 : low - margin, max + margin];
    };
  }

  function lastOf(column) {
    return column.findLast(value => value !== null && value !== undefined);
  }

  // The number of the block in which a branch lies: what its path has as its first number.
  function blockOf(names, index) {
    return names[index]?.split('.').find(part => /^\d+$/.test(part)) ?? '';
  }

  function paddedRange(chart, min, max) {
    return [min - 0.6, max + 0.6];
  }
})();
