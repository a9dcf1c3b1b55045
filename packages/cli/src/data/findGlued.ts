import { isGlued, type Dataset } from '@dropbp/data';

/** Rows whose prompt and completion meet without white space. */
export interface GluedRows {
  readonly rows: number;
  /** How many rows were looked at. */
  readonly among: number;
  /** Where the first of them meet: the end of the prompt, and the start of the completion. */
  readonly example: readonly [before: string, after: string];
}

const mostRows = 1000;

/** Looks at the first rows. @returns undefined where none is glued */
export async function findGlued(dataset: Dataset): Promise<GluedRows | undefined> {
  if (dataset.format.name === 'chat' || dataset.format.name === 'text') return undefined;
  let [rows, among] = [0, 0];
  let example: GluedRows['example'] | undefined;
  for await (const { sample } of dataset.rows()) {
    if (sample.kind === 'completion' && isGlued(sample.prompt, sample.completion)) {
      rows++;
      example ??= [sample.prompt.slice(-20), sample.completion.slice(0, 20)];
    }
    if (++among === mostRows) break;
  }
  return example && { rows, among, example };
}
