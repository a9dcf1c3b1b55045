import type { Settings } from '../messages.ts';
import { element } from './element.ts';

/** What the sliders set. */
export interface Chosen extends Settings {
  /** That a text has beyond its beginning. */
  readonly sampleTokens: number;
}

/** A slider: what it sets, over which positions, and what a position means. */
interface Slider {
  readonly name: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly position: number;
  readonly value: (position: number) => number;
  readonly show: (value: number) => string;
}

const same = (position: number): number => position;

const sliders: { readonly [K in keyof Chosen]: Slider } = {
  rank: {
    name: 'Rank of LoRA',
    hint: 'How much can be learned; more is slower.',
    ...{ min: 0, max: 6, step: 1, position: 4 },
    value: position => 2 ** position,
    show: String,
  },
  dropRate: {
    name: 'Drop rate',
    hint: 'The share of the backward pass that DropBP leaves out; more is faster.',
    ...{ min: 0, max: 0.9, step: 0.05, position: 0.5 },
    value: same,
    show: value => value.toFixed(2),
  },
  learningRate: {
    name: 'Learning rate',
    hint: 'How far a step goes. Too far, and the loss rises.',
    ...{ min: -4, max: -1.5, step: 0.1, position: -2 },
    value: position => Number((10 ** position).toPrecision(2)),
    show: value => value.toPrecision(2),
  },
  steps: {
    name: 'Steps',
    hint: 'How often it looks at a part of the text and learns.',
    ...{ min: 10, max: 300, step: 10, position: 80 },
    value: same,
    show: String,
  },
  batch: {
    name: 'Tokens in a step',
    hint: 'More make the loss steadier and a step slower.',
    ...{ min: 1, max: 16, step: 1, position: 4 },
    value: same,
    show: value => String(128 * value),
  },
  sampleTokens: {
    name: 'Tokens in a sample',
    hint: 'How much it writes, before and after.',
    ...{ min: 10, max: 200, step: 10, position: 60 },
    value: same,
    show: String,
  },
};

/** Puts the sliders into the page. @returns what they stand at */
export function showSettings(): () => Chosen {
  const parent = element('settings', HTMLDivElement);
  const inputs = Object.entries(sliders).map(([key, slider]) => [key, addSlider(parent, key, slider)] as const);
  return () => Object.fromEntries(inputs.map(([key, read]) => [key, read()])) as unknown as Chosen;
}

function addSlider(parent: HTMLElement, key: string, slider: Slider): () => number {
  const { name, hint, min, max, step, position, value, show } = slider;
  const input = Object.assign(document.createElement('input'), { type: 'range', id: key, min, max, step });
  input.value = String(position);
  const output = Object.assign(document.createElement('output'), { htmlFor: key });
  const label = Object.assign(document.createElement('label'), { htmlFor: key, textContent: name });
  const small = Object.assign(document.createElement('small'), { id: `${key}-hint`, textContent: hint });
  input.setAttribute('aria-describedby', small.id);
  label.append(output);
  const read = (): number => value(Number(input.value));
  const update = (): void => {
    output.value = show(read());
    input.setAttribute('aria-valuetext', output.value);
  };
  input.addEventListener('input', update);
  update();
  const setting = Object.assign(document.createElement('div'), { className: 'setting' });
  setting.append(label, input, small);
  parent.append(setting);
  return read;
}
