import * as jinja from '@huggingface/jinja';
import { pythonStrip, withPythonStrip } from './pythonStrip.ts';

// The package's types name their files without an extension, so that TypeScript does not find them for Node.
const { tokenize, parse, Environment, Interpreter } = jinja as unknown as {
  tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown;
  parse: (tokens: unknown) => unknown;
  Environment: new () => { set(name: string, value: unknown): void };
  Interpreter: new (environment: unknown) => { run(program: unknown): { value: string } };
};

/** A template that was read. */
export type JinjaTemplate = (variables: Readonly<Record<string, unknown>>) => string;

/** The longest list that `range()` makes: a template is code from elsewhere. */
const MAX_RANGE = 1_000_000;

/**
 * Reads a Jinja template as transformers does: blocks take the white space before them and the line's end behind them.
 *
 * @param globals - functions and values that every rendering finds
 * @throws Error where the template is none
 */
export function jinjaTemplate(source: string, globals: Readonly<Record<string, unknown>>): JinjaTemplate {
  const program = withPythonStrip(parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  const all = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range,
    ...pythonStrip,
    ...globals,
  };
  return variables => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...all, ...variables })) environment.set(name, value);
    return new Interpreter(environment).run(program).value;
  };
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range() of ${length} numbers`);
  return Array.from({ length }, (_, i) => from + i * step);
}
