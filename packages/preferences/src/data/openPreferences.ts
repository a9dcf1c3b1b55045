import { checkOptions, isObject, problem, Problem } from '@dropbp/basics';
import { readRows, recognizeFormat, readSample, type BadRows, type FileType, type Sample } from '@dropbp/data';
import { extractPrompt } from './extractPrompt.ts';
import type { PairedRow, PreferenceDataset, PreferenceFormat, RatedRow } from './preferenceDataset.ts';

/** Options of {@link openPreferences}. */
export interface OpenPreferencesOptions {
  /** What kind of file it is. @defaultValue by the ending of its name */
  readonly fileType?: FileType;
  /** Takes this format, whatever other columns there are. @defaultValue the first that fits */
  readonly format?: PreferenceFormat;
  /** The columns under other names: `{ prompt: 'question', chosen: 'better', rejected: 'worse' }`. @defaultValue TRL's names */
  readonly columns?: Readonly<Partial<Record<PreferenceColumn, string>>>;
  /** What is done with a row that cannot be used: an error that names its place, or left out and counted. @defaultValue `'throw'` */
  readonly badRows?: BadRows;
}

/** What columns of preferences hold, by TRL's names. */
export type PreferenceColumn = 'prompt' | 'chosen' | 'rejected' | 'completion' | 'label' | 'tools';

/** A row of a file with its place. */
interface PlacedRow {
  readonly place: string;
  readonly value: Readonly<Record<string, unknown>>;
}

type Columns = Readonly<Record<PreferenceColumn, string>>;

const ownColumns: Columns = {
  prompt: 'prompt',
  chosen: 'chosen',
  rejected: 'rejected',
  completion: 'completion',
  label: 'label',
  tools: 'tools',
};

const needed: Readonly<Record<PreferenceFormat, readonly PreferenceColumn[]>> = {
  paired: ['chosen', 'rejected'],
  rated: ['prompt', 'completion', 'label'],
};

const meaning: Readonly<Record<PreferenceFormat, string>> = {
  paired: 'two answers, the better one and another (paired)',
  rated: 'an answer with a label that says whether it is good (rated)',
};

const KEPT_PROBLEMS = 10;

/**
 * Opens preferences in TRL's formats: `prompt`, `chosen` and `rejected`; the last two alone, where both begin with the prompt; or
 * `prompt`, `completion` and `label`. Each is a text or a list of messages. All rows are held in memory.
 *
 * @param source - a JSON Lines, JSON, CSV or Parquet file, or rows
 * @throws Problem if the file cannot be read, a row cannot be used, or the rows have another format
 *
 * @example
 * ```ts
 * const dataset = await openPreferences([{ prompt: 'The sky is', chosen: ' blue.', rejected: ' green.' }]);
 * console.log(dataset.explanation);
 * ```
 */
export async function openPreferences(
  source: string | Blob | readonly object[],
  options: OpenPreferencesOptions = {},
): Promise<PreferenceDataset> {
  checkOptions('preferences', 'openPreferences()', options, ['fileType', 'format', 'columns', 'badRows']);
  const { fileType, format: asked, columns = {}, badRows = 'throw' } = options;
  checkChoice('badRows', badRows, ['throw', 'skip']);
  if (asked !== undefined) checkChoice('format', asked, ['paired', 'rated']);
  checkOptions('preferences', 'columns', columns, Object.keys(ownColumns));
  const name = typeof source === 'string' ? source : 'the rows';
  const given =
    typeof source === 'string' || source instanceof Blob ? readRows(source, fileType && { fileType }) : placed(source);
  const reader: Reader = { columns: { ...ownColumns, ...columns } };
  const skipped = { count: 0, first: [] as Problem[] };
  const rows: (PairedRow | RatedRow)[] = [];
  let recognized: Recognized | undefined;
  for await (const row of given) {
    recognized ??= recognize(row, asked, reader.columns);
    try {
      rows.push(recognized.format === 'paired' ? readPair(row, reader) : readRated(row, reader));
    } catch (error) {
      if (!(error instanceof Problem) || badRows === 'throw') throw error;
      if (++skipped.count <= KEPT_PROBLEMS) skipped.first.push(error);
    }
  }
  if (recognized === undefined || rows.length === 0) {
    const bad = skipped.count > 0 && { got: `${skipped.count} that cannot be used` };
    throw problem('preferences', { what: `${name} holds no rows`, ...bad, fix: 'give at least one row' });
  }
  const left = skipped.count === 0 ? '' : `, and ${skipped.count} that are left out`;
  const { format, explanation, isChat } = recognized;
  const common = { name, explanation: `${name}: ${rows.length} rows${left}. ${explanation}`, isChat, skipped };
  return format === 'paired'
    ? { ...common, format, rows: rows as PairedRow[] }
    : { ...common, format, rows: rows as RatedRow[] };
}

function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  const expected = choices.map(choice => `'${choice}'`).join(' or ');
  throw problem('preferences', { what: `${name} is not usable`, got: value, expected });
}

function* placed(rows: readonly object[]): Generator<PlacedRow> {
  if (!Array.isArray(rows)) {
    const expected = 'the path of a file, a Blob or a list of rows';
    throw problem('preferences', { what: 'openPreferences(): the source is not usable', got: rows, expected });
  }
  for (const [i, value] of rows.entries()) {
    const place = `row ${i + 1}`;
    if (!isObject(value)) {
      throw problem('preferences', {
        what: `${place} is not an object`,
        got: value,
        expected: '{ prompt, chosen, … }',
      });
    }
    yield { place, value: { ...value } };
  }
}

interface Recognized {
  readonly format: PreferenceFormat;
  readonly isChat: boolean;
  readonly explanation: string;
}

function recognize({ value }: PlacedRow, asked: PreferenceFormat | undefined, columns: Columns): Recognized {
  const has = (column: PreferenceColumn): boolean => Object.hasOwn(value, columns[column]);
  const candidates: readonly PreferenceFormat[] = asked === undefined ? ['paired', 'rated'] : [asked];
  const format = candidates.find(candidate => needed[candidate].every(has));
  if (format === undefined) {
    throw problem('preferences', {
      what: 'these columns hold no preferences that are known',
      got: Object.keys(value).slice(0, 30),
      expected: 'prompt, chosen and rejected; chosen and rejected; or prompt, completion and label',
      fix: "name the columns, such as columns: { chosen: 'better', rejected: 'worse' }",
    });
  }
  const answer = value[columns[format === 'paired' ? 'chosen' : 'completion']];
  const isChat = messageList(answer) !== undefined;
  const isImplicit = format === 'paired' && !hasOwnPrompt(value, columns);
  const read = needed[format].map(column => `'${columns[column]}'`).join(', ');
  const form = isChat ? ' as conversations' : '';
  const prompt = isImplicit ? ' The prompt is what both begin with.' : '';
  return { format, isChat, explanation: `Each row is ${meaning[format]}${form}: there are columns ${read}.${prompt}` };
}

/** Whether a row has a prompt of the same kind as its answers: a text beside conversations only repeats what they begin with. */
function hasOwnPrompt(value: PlacedRow['value'], { prompt, chosen }: Columns): boolean {
  if (value[prompt] === undefined || value[prompt] === null) return false;
  return (messageList(value[chosen]) === undefined) === (messageList(value[prompt]) === undefined);
}

/** A list of messages, or the JSON of one, as columns of CSV and Parquet hold it. */
function messageList(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    const isMessages =
      Array.isArray(parsed) && parsed.length > 0 && parsed.every(one => isObject(one) && 'role' in one);
    return isMessages ? (parsed as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

interface Reader {
  readonly columns: Columns;
}

function readPair({ place, value }: PlacedRow, { columns }: Reader): PairedRow {
  const [chosen, rejected] = [value[columns.chosen], value[columns.rejected]];
  const answers = hasOwnPrompt(value, columns)
    ? { prompt: value[columns.prompt], chosen, rejected }
    : implicitPrompt(place, chosen, rejected);
  const tools = value[columns.tools];
  const sample = (which: 'chosen' | 'rejected'): Sample =>
    readAnswer(`${place}, '${columns[which]}'`, answers.prompt, answers[which], tools);
  return { place, chosen: sample('chosen'), rejected: sample('rejected') };
}

function implicitPrompt(place: string, chosen: unknown, rejected: unknown): ReturnType<typeof extractPrompt> {
  const [ours, theirs] = [chosen, rejected].map(value => messageList(value) ?? value);
  const areAlike =
    (typeof ours === 'string' && typeof theirs === 'string') || (Array.isArray(ours) && Array.isArray(theirs));
  if (!areAlike) {
    throw problem('preferences', {
      what: `${place}: the answers are not of one kind`,
      got: { chosen: typeof ours, rejected: typeof theirs },
      expected: 'two texts or two lists of messages',
    });
  }
  return extractPrompt(ours as string, theirs as string);
}

function readRated({ place, value }: PlacedRow, { columns }: Reader): RatedRow {
  const isDesirable = labels.get(value[columns.label]);
  if (isDesirable === undefined) {
    throw problem('preferences', {
      what: `${place}: the label does not say whether the answer is good`,
      got: value[columns.label],
      expected: 'true or false, or 1 or 0',
    });
  }
  const answer = readAnswer(place, value[columns.prompt], value[columns.completion], value[columns.tools]);
  return { place, answer, isDesirable };
}

/** What a label may be: columns of CSV hold text alone. */
const labels: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...([true, 1, 1n, '1', 'true', 'True'] as const).map(value => [value, true] as const),
  ...([false, 0, 0n, '0', 'false', 'False'] as const).map(value => [value, false] as const),
]);

function readAnswer(place: string, prompt: unknown, completion: unknown, tools: unknown): Sample {
  const format = recognizeFormat({ prompt: '', completion: '', tools: [] }, { format: 'completion' });
  return readSample(format, { place, value: { prompt, completion, ...(tools !== undefined && { tools }) } });
}
