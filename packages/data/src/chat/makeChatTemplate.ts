import { problem } from '@dropbp/basics';
import type { ChatMessage } from '../rows/formats/sample.ts';
import type { ChatTemplate, RenderOptions } from './chatTemplate.ts';
import { generationMarks, holdsMarks, takeMarks } from './generationMarks.ts';
import { JinjaError, jinjaTemplate, type JinjaTemplate } from './jinja/jinjaTemplate.ts';
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
  const tokens = specialTokens(config);
  const functions = {
    strftime_now: (format: string) => strftime(date, format),
    raise_exception(message: string): never {
      throw new Refusal(message);
    },
  };
  const usual = compiled(source, functions);
  const forTools = withTools === undefined ? usual : compiled(withTools, functions);
  const write = (messages: readonly ChatMessage[], options: RenderOptions, marks?: typeof generationMarks): string => {
    const template = (options.tools ?? []).length > 0 ? forTools : usual;
    return rendered(template, tokens, messages, options, marks);
  };
  return {
    source,
    marksAnswers: usual.marksAnswers && forTools.marksAnswers,
    render: (messages, options = {}) => write(messages, options),
    renderMarked(messages, options = {}) {
      const text = write(messages, options);
      if (holdsMarks(text))
        throw problem('data', { what: 'the conversation holds U+FDD0 or U+FDD1', expected: 'characters' });
      const marked = takeMarks(write(messages, options, generationMarks));
      if (marked.text === text) return marked;
      throw problem('data', {
        what: 'the chat template changes or measures what stands between {% generation %} and {% endgeneration %}',
        fix: 'put the tag around the text that is written at last',
      });
    },
  };
}

/** What a template says about a conversation that it does not write. */
class Refusal extends Error {}

function compiled(source: string, functions: Readonly<Record<string, (text: string) => string>>): JinjaTemplate {
  try {
    return jinjaTemplate(source, functions);
  } catch (cause) {
    if (!(cause instanceof JinjaError)) throw cause;
    throw problem('data', { what: `the chat template cannot be read (${cause.message})`, cause });
  }
}

function rendered(
  template: JinjaTemplate,
  tokens: Readonly<Record<string, string>>,
  messages: readonly ChatMessage[],
  options: RenderOptions,
  marks: typeof generationMarks | undefined,
): string {
  const { tools = [], addGenerationPrompt = false, variables = {} } = options;
  try {
    return template.render(
      {
        ...tokens,
        ...variables,
        messages: messages.map(withoutWeight),
        tools: tools.length > 0 ? tools : null,
        documents: null,
        add_generation_prompt: addGenerationPrompt,
      },
      marks,
    );
  } catch (cause) {
    if (!(cause instanceof JinjaError || cause instanceof Refusal)) throw cause;
    const what =
      cause instanceof Refusal
        ? `the chat template refuses the conversation: ${cause.message}`
        : `the chat template cannot write the conversation (${cause.message})`;
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
