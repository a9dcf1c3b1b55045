import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  loadChatTemplate,
  loadTokenizer,
  openDataset,
  tokenizeRows,
  type ChatMessage,
  type ChatTemplate,
  type Sequence,
  type Tokenizer,
} from '@dropbp/data';

/** What chat_cases.py wrote for one tokenizer. */
interface ChatCases {
  readonly tokenizer: object;
  readonly config: object;
  readonly templates: Readonly<Record<string, string>>;
  readonly date: string;
  readonly cases: readonly ChatCase[];
}

interface ChatCase {
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly object[] | null;
  /** What transformers raised. */
  readonly error?: string;
  readonly text: string;
  readonly prompted?: string;
  readonly ids: readonly number[];
  readonly mask?: readonly number[];
  readonly unstable?: boolean;
}

const folder = fileURLToPath(new URL('../.cache/chats/', import.meta.url));
const files = readdirSync(folder).filter(name => name.endsWith('.json'));

describe.each(files)('conversations by the tokenizer %s', file => {
  const {
    tokenizer: json,
    config,
    templates,
    date,
    cases,
  } = JSON.parse(readFileSync(folder + file, 'utf8')) as ChatCases;
  let tokenizer: Tokenizer;
  const loaded = new Map<string, ChatTemplate>();
  beforeAll(async () => {
    tokenizer = await loadTokenizer({ tokenizer: json, config });
    for (const [name, template] of Object.entries(templates)) {
      loaded.set(name, (await loadChatTemplate({ config, template }, { date: new Date(date) }))!);
    }
  });
  const tokenized = async (
    { messages, tools, template }: ChatCase,
    loss: 'answers' | 'all',
  ): Promise<readonly Sequence[]> => {
    const dataset = await openDataset([{ messages, ...(tools !== null && { tools }) }]);
    const rows = tokenizeRows(dataset, { tokenizer, chatTemplate: loaded.get(template), time: 1_000_000, loss });
    return rows.tokenize((await dataset.read([0]))[0]!).sequences;
  };

  /** What is given to a model that is to write one of the answers. */
  const promptsOf = ({ template, messages, tools }: ChatCase): number[][] =>
    messages.flatMap(({ role }, i) => {
      if (role !== 'assistant') return [];
      const options = { addGenerationPrompt: true, tools: tools ?? [] };
      const text = loaded.get(template)!.render(messages.slice(0, i), options);
      return [tokenizer.encode(text, { addSpecialTokens: false })];
    });

  it('are written as transformers writes them, and refused where it refuses', () => {
    let refused = 0;
    for (const { template, messages, tools, error, text, prompted } of cases) {
      const render = (addGenerationPrompt: boolean): string =>
        loaded.get(template)!.render(messages, { addGenerationPrompt, tools: tools ?? [] });
      if (error !== undefined) {
        refused++;
        expect(() => render(false), error).toThrow(/the chat template (refuses|cannot write) the conversation/);
        continue;
      }
      expect(render(false)).toBe(text);
      if (prompted !== undefined) expect(render(true)).toBe(prompted);
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('become its tokens', async () => {
    for (const item of cases.filter(({ error }) => error === undefined)) {
      const [sequence] = await tokenized(item, 'all');
      expect([...sequence!.ids]).toEqual(item.ids);
    }
  });

  it('count where the assistant wrote', async () => {
    let counted = 0;
    let apart = 0;
    for (const item of cases.filter(({ mask }) => mask !== undefined)) {
      const [sequence] = await tokenized(item, 'answers');
      if (sequence?.ids.some((id, i) => id !== item.ids[i]) === true) {
        // A token of transformers' holds the end of the prompt and the start of the answer. Ours are those of the prompt alone.
        expect(tokenizer.decode(sequence.ids)).toBe(tokenizer.decode(item.ids));
        const prompt = sequence.ids.slice(
          0,
          sequence.labels.findIndex(label => label !== -100),
        );
        expect(promptsOf(item)).toContainEqual([...prompt]);
        apart++;
        continue;
      }
      const mask = item.mask!.map((isAnswer, i) => (isAnswer === 1 ? item.ids[i]! : -100));
      if (mask.slice(1).every(label => label === -100)) expect(sequence).toBeUndefined();
      else expect([...sequence!.labels]).toEqual(mask);
      counted++;
    }
    expect(counted).toBeGreaterThan(100);
    expect(apart).toBeGreaterThan(0);
  });

  it('are refused where answers cannot be found', async () => {
    const unstable = cases.filter(({ unstable }) => unstable === true);
    expect(unstable.length).toBeGreaterThan(0);
    for (const item of unstable) await expect(tokenized(item, 'answers')).rejects.toThrow(/chat template/);
  });
});
