import type { LinearFormat } from './linearFormat.ts';

/** What a Modelfile says. */
export interface Modelfile {
  /** A file, or the name of a model of Ollama. */
  readonly from: string;
  readonly adapter?: string;
  /** A template of Go. */
  readonly template?: string;
  readonly parameters: readonly (readonly [name: string, value: string | number])[];
}

/** Source: docs/modelfile.md of Ollama. */
export function writeModelfile({ from, adapter, template, parameters }: Modelfile): string {
  const lines = [`FROM ${from}`];
  if (adapter !== undefined) lines.push(`ADAPTER ${adapter}`);
  if (template !== undefined) lines.push('', `TEMPLATE """${template}"""`);
  if (parameters.length > 0) lines.push('');
  for (const [name, value] of parameters) {
    lines.push(`PARAMETER ${name} ${typeof value === 'string' ? JSON.stringify(value) : value}`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * A linear format as a template of Go, over the messages that Ollama gives it. The start is the tokenizer's.
 *
 * Source: docs/template.md of Ollama.
 *
 * @returns undefined where a text would end the template or its quotes
 */
export function goTemplate(format: LinearFormat): string | undefined {
  const { withoutSystem, before, behind, answer } = format;
  const texts = [withoutSystem, answer, ...Object.values(before), ...Object.values(behind)];
  if (texts.some(text => text.includes('{{') || text.includes('"""'))) return undefined;
  const roles = (['system', 'user', 'assistant'] as const).map(
    (role, i) => `{{ ${i === 0 ? 'if' : 'else if'} eq .Role "${role}" }}${before[role]}{{ .Content }}${behind[role]}`,
  );
  return [
    withoutSystem === '' ? '' : `{{ if not .System }}${withoutSystem}{{ end }}`,
    `{{ range .Messages }}${roles.join('')}{{ end }}{{ end }}`,
    answer,
  ].join('');
}
