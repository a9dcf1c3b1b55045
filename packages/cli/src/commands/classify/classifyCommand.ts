import { problem } from '@dropbp/basics';
import { loadClassifier } from '@dropbp/classify';
import { classScores } from '@dropbp/data';
import { command } from '../../flags/command.ts';
import { number, positiveInteger, text, toggle } from '../../flags/flag.ts';
import { backendFlag } from '../../flags/tables/modelFlags.ts';
import { startBackend } from '../../model/startBackend.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { inputTexts, type InputText } from './inputTexts.ts';
import { showClasses } from './showClasses.ts';

/** `dropbp classify`. */
export const classifyCommand = command({
  name: 'classify',
  summary: 'Gives each line of a file or of standard input a label.',
  positional: { placeholder: '<folder>', help: 'a classifier: an adapter with its head, or a model' },
  flags: {
    data: {
      ...text('<file>', 'a text in each line, or rows with text and label'),
      defaultText: 'standard input',
    },
    metrics: toggle('compare with the column label: accuracy, macro-F1 and the confusion table'),
    base: { ...text('<folder|file|hub id>', 'the model of an adapter'), defaultText: 'the one that the adapter names' },
    scores: toggle('write the probability of every label'),
    time: {
      ...number(positiveInteger, 'tokens of a text at most: longer ones are cut off'),
      defaultText: '512, or as many as the model can',
    },
    batch: number(positiveInteger, 'texts at a time', 16),
    backend: backendFlag(),
    json: toggle('with --metrics: print one JSON object'),
  },
  examples: ['dropbp classify out/spam --data mails.txt', 'dropbp classify out/spam --data test.jsonl --metrics'],
  async run(flags, [folder], terminal) {
    const { data, metrics, scores: writesScores, batch: batchSize, time, base, json } = flags;
    if (json && !metrics) throw problem('cli', { what: '--json needs --metrics', fix: 'leave it out' });
    if (writesScores && metrics)
      throw problem('cli', { what: '--scores and --metrics do not go together', fix: 'leave it out' });
    const texts = inputTexts(data, terminal.input ?? process.stdin);
    await startBackend(flags.backend, terminal);
    const status = statusLine(terminal);
    const classifier = await loadClassifier(folder!, {
      ...(base !== undefined && { base }),
      onTensor: (done, total) => status.show(`Loading ${folder!}`, `${done} of ${total} tensors`),
    });
    status.clear();
    const interruption = listenForInterruption(terminal, metrics ? 'Stopping; the figures are of what was done' : undefined); // prettier-ignore
    const [wanted, given]: [string[], string[]] = [[], []];
    const run = async (rows: readonly InputText[]): Promise<void> => {
      // A line without a text has no label, so that every line of the input has its own.
      const filled = rows.filter(row => row.text !== '');
      const found = await classifier.classify(filled.map(row => row.text), { batchSize, ...(time && { maxLength: time }) }); // prettier-ignore
      const results = new Map(filled.map((row, i) => [row, found[i]!]));
      for (const row of rows) {
        const result = results.get(row);
        if (metrics) {
          if (result === undefined) continue;
          wanted.push(labelOf(row, classifier.labels));
          given.push(result.label);
        } else {
          const { label = null, score = null, labels, scores } = result ?? {};
          const line = { label, score, ...(labels && { labels }), ...(writesScores && { scores: scores ?? null }) };
          terminal.out(`${JSON.stringify(line)}\n`);
        }
      }
    };
    try {
      for await (const rows of groupsOf(texts, batchSize)) {
        await run(rows);
        if (interruption.signal.aborted) break;
      }
      if (!metrics) return interruption.exitCode();
      if (wanted.length === 0) throw problem('cli', { what: '0 rows were compared', fix: 'give --data with rows' });
      const result = classScores(wanted, given, classifier.labels);
      terminal.out(json ? `${JSON.stringify(result, undefined, 2)}\n` : showClasses(result));
      return interruption.exitCode();
    } finally {
      interruption.release();
      classifier.dispose();
    }
  },
});

/** @throws Problem for a row without a label, or with one that the classifier does not know */
function labelOf({ label, place }: InputText, labels: readonly string[]): string {
  if (label !== undefined && labels.includes(label)) return label;
  throw problem('cli', {
    what: `${place} has a label that the classifier does not know`,
    got: label,
    expected: labels.slice(0, 20).join(', '),
  });
}

async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void, undefined> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
