import { basename } from 'node:path';
import { isObject } from '@dropbp/basics';
import { stringify } from 'yaml';
import { flagName } from '../../flags/flagName.ts';
import { methodNames, methodsOfFlag, type MethodFlag, type MethodName } from '../../flags/tables/methodFlags.ts';
import type { RunRecord } from '../../record/runRecord.ts';
import { formatCount } from '../../terminal/formatNumber.ts';
import { describeMethod } from '../inspect/describeMethod.ts';

/** What a card is written from. */
export interface CardSubject {
  readonly kind: 'adapter' | 'model';
  /** Where it goes: `'someone/name'`. */
  readonly id: string;
  /** `adapter_config.json`, or `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The id of the base on the hub; absent where the base has none, or is not known. */
  readonly base?: string;
  /** Of the run that made it; absent where that is not known. */
  readonly record?: RunRecord;
}

/** Flags of a run that say how it learned, beside those of its method. */
const ofTraining: readonly string[] = [
  ...['steps', 'batch', 'time', 'accumulation', 'learningRate', 'schedule', 'warmup', 'weightDecay'],
  ...['maxGradientNorm', 'rate', 'weights', 'seed'],
];

/**
 * The model card of an adapter or a model, as the hub shows it: base, data, method and metrics, with the front matter that the hub
 * reads. Names of files stand in it without their folders.
 */
export function modelCard(subject: CardSubject): string {
  const { record } = subject;
  const parts = [
    `---\n${stringify(frontMatter(subject))}---`,
    `# ${basename(subject.id)}`,
    introduction(subject),
    `## Use\n\n${usage(subject)}`,
    ...(record === undefined ? [] : [`## Data\n\n${dataText(record)}`]),
    `## Method\n\n${methodText(subject)}`,
    ...(record === undefined || metricsOf(record).length === 0 ? [] : [`## Metrics\n\n${metricsText(record)}`]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function frontMatter({ kind, id, base, config, record }: CardSubject): object {
  const method = String(kind === 'adapter' ? config.peft_type : 'full').toLowerCase().replaceAll('_', '-'); // prettier-ignore
  const metrics = record === undefined ? [] : metricsOf(record);
  return {
    ...(base !== undefined && {
      base_model: base,
      base_model_relation: kind === 'adapter' ? 'adapter' : 'finetune',
    }),
    library_name: kind === 'adapter' ? 'peft' : 'transformers',
    pipeline_tag: 'text-generation',
    tags: ['dropbp', ...(record === undefined && kind === 'model' ? [] : [method])],
    ...(metrics.length > 0 && {
      'model-index': [
        {
          name: basename(id),
          results: [
            {
              task: { type: 'text-generation' },
              dataset: { name: dataNames(record!).join(', '), type: record!.data.format ?? 'text' },
              metrics: metrics.map(({ type, name, value }) => ({ type, name, value })),
            },
          ],
        },
      ],
    }),
  };
}

function introduction({ kind, base, record }: CardSubject): string {
  const what = kind === 'adapter' ? 'An adapter' : 'A model';
  const on = base === undefined ? baseName(record) : `[${base}](https://huggingface.co/${base})`;
  const made =
    record === undefined ? '' : ', trained with [DropBP for TypeScript](https://github.com/dropbp/dropbp-js)';
  if (on === undefined) return `${what}${made}.`;
  return kind === 'adapter' ? `${what} for ${on}${made}.` : `${what} fine-tuned from ${on}${made}.`;
}

/** The last part of a path to the base. The hub does not know the path. */
function baseName(record: RunRecord | undefined): string | undefined {
  return record === undefined ? undefined : `the model \`${basename(record.model.source)}\``;
}

function usage({ kind, id, base }: CardSubject): string {
  const isWhole = kind === 'model' || base !== undefined;
  const flags = kind === 'model' ? `--model ${id}` : `--adapter ${id}${isWhole ? '' : ' --model <its base>'}`;
  const command = `\`\`\`sh\nnpx dropbp generate ${flags} --prompt "Once upon a time"\n\`\`\``;
  if (!isWhole) return command;
  const [library, name] = kind === 'model' ? ['transformers', 'AutoModelForCausalLM'] : ['peft', 'AutoPeftModelForCausalLM'];
  const python = `\`\`\`python\nfrom ${library} import ${name}\n\nmodel = ${name}.from_pretrained("${id}")\n\`\`\``;
  return `${command}\n\nIn Python:\n\n${python}`;
} // prettier-ignore

function dataText(record: RunRecord): string {
  const { rows, trainTokens, heldOutTokens } = record.data;
  const learned = rows === null ? '' : `${formatCount(rows)} rows, `;
  return [
    `| | |\n|---|---|`,
    `| files | ${dataNames(record).map(code).join(', ')} |`,
    `| learned from | ${learned}${formatCount(trainTokens)} tokens |`,
    `| held out | ${formatCount(heldOutTokens)} tokens |`,
  ].join('\n');
}

function methodText({ kind, config, record }: CardSubject): string {
  const { title, settings } =
    kind === 'adapter'
      ? describeMethod(config)
      : { title: record === undefined ? 'not recorded' : 'full fine-tuning', settings: [] };
  const options = record === undefined ? [] : optionsOf(record, kind);
  const rows = [...settings, ...options].map(([name, value]) => `| ${name} | ${cell(value)} |`);
  const table = rows.length === 0 ? '' : `\n\n| option | value |\n|---|---|\n${rows.join('\n')}`;
  return `${title.charAt(0).toUpperCase()}${title.slice(1)}.${table}`;
}

/** What the run's flags say, but for what the adapter's configuration says already. */
function optionsOf({ options, drops, costs }: RunRecord, kind: CardSubject['kind']): [name: string, value: string][] {
  const isOwn = (key: string): boolean =>
    kind === 'model' && Object.hasOwn(methodsOfFlag, key) && methodsOfFlag[key as MethodFlag].includes(methodOf(options));
  const told = Object.entries(options)
    .filter(([key, value]) => (ofTraining.includes(key) || isOwn(key)) && value !== null && value !== undefined)
    .map(([key, value]): [string, string] => [code(flagName(key)), typeof value === 'string' ? value : JSON.stringify(value)]);
  const dropped = costs === undefined || costs.dropped === 0 ? [] : [
    ['backward pass dropped (DropBP)', `${Number((100 * costs.dropped).toFixed(1))} %`] as [string, string],
    ...(drops === undefined ? [] : [['drop rates', `by ${drops.allocation}, drawn by ${drops.sampling}`] as [string, string]]),
  ];
  return [...told, ...dropped];
} // prettier-ignore

function methodOf(options: RunRecord['options']): MethodName {
  return methodNames.find(name => name === options.adapter) ?? 'full';
}

interface Metric {
  readonly type: string;
  readonly name: string;
  readonly value: number;
  /** Before training; absent where it was not measured. */
  readonly before: number | undefined;
}

/** The held-out loss of the step that was kept, and the perplexity that it makes. */
function metricsOf({ heldOut, ended }: RunRecord): Metric[] {
  const kept = heldOut.find(({ step }) => step === ended?.keptStep)?.loss;
  if (kept === undefined) return [];
  const before = heldOut.find(({ step }) => step === 0)?.loss;
  const round = (value: number): number => Number(value.toPrecision(5));
  const of = (value: (loss: number) => number): { value: number; before: number | undefined } => ({
    value: round(value(kept)),
    before: before === undefined ? undefined : round(value(before)),
  });
  return [
    { type: 'loss', name: 'Held-out loss (nats per token)', ...of(loss => loss) },
    { type: 'perplexity', name: 'Held-out perplexity', ...of(Math.exp) },
  ];
}

function metricsText(record: RunRecord): string {
  const rows = metricsOf(record).map(({ name, value, before }) => `| ${name} | ${before ?? '–'} | ${value} |`);
  const step = record.ended!.keptStep;
  return [`| | before training | after step ${step} |`, '|---|---|---|', ...rows].join('\n');
}

function dataNames({ data, options }: RunRecord): string[] {
  const files = Array.isArray(options.data) ? (options.data as unknown[]).map(String) : [data.source];
  return files.map(file => basename(file));
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'")}\``;
}

/** A value in a table: one line, and no mark that would end the cell. */
function cell(value: unknown): string {
  const text = isObject(value) ? JSON.stringify(value) : String(value);
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', String.raw`\|`);
}
