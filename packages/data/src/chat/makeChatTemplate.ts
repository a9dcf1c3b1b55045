import { Problem, problem } from '@dropbp/basics';
import type { ChatMessage } from '../rows/sample.ts';
import type { ChatTemplate, RenderOptions } from './chatTemplate.ts';
import { hasGenerationTags, holdsMarks, takeMarks, withMarks } from './generationMarks.ts';
import { jinjaTemplate, type JinjaTemplate } from './jinja.ts';
import { strftime } from './strftime.ts';

/** What a template needs besides conversations. */
interface ChatTemplateParts {
  /** What `tokenizer_config.json` holds: it names the special tokens. */
  readonly config: object;
  readonly date: Date;
  /** The template for conversations with tools. @defaultValue the same */
  readonly withTools: string | undefined;
}

/** @throws Problem if a template is none */
export function makeChatTemplate(source: string, { config, date, withTools }: ChatTemplateParts): ChatTemplate {
  const globals = {
    ...specialTokens(config),
    strftime_now: (format: string) => strftime(date, format),
    raise_exception(message: string) {
      throw new Refusal(message);
    },
  };
  const read = (text: string): Readable => ({
    plain: compiled(text, globals),
    marked: hasGenerationTags(text) ? compiled(withMarks(text), globals) : undefined,
  });
  const usual = read(source);
  const forTools = withTools === undefined ? usual : read(withTools);
  const chosen = ({ tools = [] }: RenderOptions): Readable => (tools.length > 0 ? forTools : usual);
  const render = (messages: readonly ChatMessage[], options: RenderOptions = {}): string =>
    rendered(chosen(options).plain, messages, options);
  return {
    source,
    marksAnswers: usual.marked !== undefined && forTools.marked !== undefined,
    render,
    renderMarked(messages, options = {}) {
      const { marked } = chosen(options);
      if (marked === undefined) return { text: render(messages, options), spans: [] };
      const plain = render(messages, options);
      if (holdsMarks(plain))
        throw problem('data', { what: 'the conversation holds U+FDD0 or U+FDD1', expected: 'characters' });
      return takeMarks(rendered(marked, messages, options));
    },
  };
}

interface Readable {
  readonly plain: JinjaTemplate;
  readonly marked: JinjaTemplate | undefined;
}

/** What a template says about a conversation that it does not write. */
class Refusal extends Error {}

function compiled(source: string, globals: Readonly<Record<string, unknown>>): JinjaTemplate {
  try {
    return jinjaTemplate(source, globals);
  } catch (cause) {
    throw problem('data', { what: `the chat template is none that can be read (${(cause as Error).message})`, cause });
  }
}

function rendered(template: JinjaTemplate, messages: readonly ChatMessage[], options: RenderOptions): string {
  const { tools = [], addGenerationPrompt = false, variables = {} } = options;
  try {
    return template({
      ...variables,
      messages: messages.map(withoutWeight),
      tools: tools.length > 0 ? tools : null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
    });
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what =
      cause instanceof Refusal
        ? `the chat template refuses the conversation: ${reason}`
        : `the chat template cannot write the conversation (${reason})`;
    throw problem('data', { what, got: messages, cause });
  }
}

/** The names under which reasoning is found: the first is the one that templates read. Source: transformers 5.24. */
const REASONING = ['reasoning_content', 'thinking', 'reasoning'] as const;

function withoutWeight(message: ChatMessage): Readonly<Record<string, unknown>> {
  const said = Object.entries(message).filter(
    ([key, value]) => key !== 'weight' && value !== null && value !== undefined,
  );
  const own: Readonly<Record<string, unknown>> = Object.fromEntries(said);
  const reasoning = REASONING.map(name => own[name]).find(value => value !== undefined);
  return reasoning === undefined ? own : { thinking: reasoning, ...own, reasoning_content: reasoning };
}

const SPECIAL = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

function specialTokens(config: object): Record<string, string> {
  const named = SPECIAL.flatMap((name): [string, string][] => {
    const value = (config as Readonly<Record<string, unknown>>)[name];
    const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof text === 'string' ? [[name, text]] : [];
  });
  return Object.fromEntries(named);
}
