import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JinjaError, jinjaTemplate } from '../src/chat/jinja/jinjaTemplate.ts';

interface Case {
  template: string;
  text?: string;
  error?: string;
}

const { values, cases } = JSON.parse(readFileSync(new URL('fixtures/jinja.json', import.meta.url), 'utf8')) as {
  values: Record<string, unknown>;
  cases: Case[];
};

function render(template: string, variables: Record<string, unknown> = values): string {
  return jinjaTemplate(template, {}).render(variables);
}

/** What a template writes; undefined where it fails as it should. */
function attempt(template: string): string | undefined {
  try {
    return render(template);
  } catch (error) {
    if (error instanceof JinjaError) return undefined;
    throw error;
  }
}

describe('what Jinja2 writes (fixtures/make_jinja.py)', () => {
  it('is written, or the template is refused', () => {
    let equal = 0;
    for (const { template, text } of cases) {
      const ours = attempt(template);
      if (ours !== undefined) expect({ template, text: ours }).toEqual({ template, text });
      if (ours !== undefined) equal++;
    }
    const accepted = cases.filter(({ text }) => text !== undefined).length;
    expect(equal / accepted).toBeGreaterThan(0.97);
  });
});

describe('values', () => {
  it.each([
    ['{{ [true, none, 1.0, 1, "it\'s", "\\n"] }}', "[True, None, 1.0, 1, \"it's\", '\\n']"],
    ['{{ none }}|{{ missing }}|{{ true }}', 'None||True'],
    ['{{ {1: "a", "b": (1,), true: 2} }}', "{1: 2, 'b': (1,)}"],
    [
      '{{ 2 ** 100 }} {{ 7 // -2 }} {{ -7 % 3 }} {{ 1 / 2 }} {{ 1e16 }}',
      '1267650600228229401496703205376 -4 2 0.5 1e+16',
    ],
    ['{{ "😀"|length }} {{ "a😀b"[1] }} {{ "a😀"[::-1] }}', '1 😀 😀a'],
    ['{{ {"a": [1.0, none]}|tojson }}', '{"a": [1.0, null]}'],
    ['{{ missing is callable }} {{ 1 is callable }}', 'True False'],
    ['{{ 1 == true }} {{ "1" == 1 }} {{ 3 is odd }}', 'True False True'],
  ])('%s', (template, text) => {
    expect(render(template)).toBe(text);
  });
  it('come from JavaScript as they are: numbers without a fraction are ints, and Maps are dicts', () => {
    expect(render('{{ v }}', { v: [1, 1.5, 2n ** 70n, new Map([[1, { a: undefined, b: null }]])] })).toBe(
      "[1, 1.5, 1180591620717411303424, {1: {'b': None}}]",
    );
    expect(() => render('{{ v }}', { v: { big: 2 ** 60 } })).toThrow(
      'v.big holds 1152921504606847000, which JavaScript',
    );
    expect(() => render('{{ v }}', { v: new Date() })).toThrow('v is not text, a number, a boolean');
  });
  it('of a name that a scope only sets later are undefined in it, as in Jinja2', () => {
    expect(render('{% for i in [1] %}[{{ x }}]{% endfor %}{% set x = 1 %}{{ x }}', { x: 5 })).toBe('[]1');
    expect(render('{{ x }}{% set x = 1 %}{{ x }}', { x: 5 })).toBe('51');
  });
});

describe('what is refused', () => {
  it.each([
    ["{{ 'a'|e }}", 'the filter e is not supported'],
    ["{{ 'a'|nothing }}", 'line 1: there is no filter nothing'],
    ['\n\n{{ a b }}', "line 3: endVariable is expected, not 'b'"],
    ['{% block a %}{% endblock %}', '{% block %} is not supported'],
    ["{% include 'x' %}", '{% include %} needs other templates'],
    ['{{ words.append(1) }}', 'append() would change list'],
    ['{{ words.__class__ }}', 'the member __class__ is not open to templates'],
    ['{{ words|map("upper") }}', "a generator (put '| list' behind it) has no text"],
    ['{{ missing.a }}', "'missing' is undefined"],
    ['{{ dict(missing) }}', "'missing' is undefined"],
    ['{% set ns = namespace(missing.a) %}', "'missing' is undefined"],
    ['{% set ns = namespace(missing) %}', "'missing' is undefined"],
    ['{{ dict(none) }}', 'None is not a list'],
    ['{% set ns = namespace(none) %}', 'None is not a list'],
    ['{{ dict(namespace(a=1)) }}', 'namespace is not a list'],
    ['{{ 1 + "a" }}', 'int + str cannot be computed'],
    ['{% if true %}', 'line 1: the template ends before {% endif %}'],
  ])('%s', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });
});

describe('limits', () => {
  const nested = (depth: number): string => `${'('.repeat(depth)}1${')'.repeat(depth)}`;
  it.each([
    ['loops in loops', '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}', 'more than 10000000 steps'],
    ['ranges', '{{ range(100001) }}', 'range() of 100001 numbers'],
    ['growing replace', "{% set ns = namespace(t='aa') %}{% for i in range(99) %}{% set ns.t = ns.t.replace('a', 'aa') %}{% endfor %}", 'longer than 33554432'],
    ['replace of nothing', "{{ ('a' * 9999999).replace('', 'aaaaaaaa') }}", 'longer than 33554432'],
    ['products', "{{ 'ab' * 99999999999 }}", 'longer than 33554432'],
    ['lists', '{{ [1] * 99999999999 }}', 'longer than 33554432'],
    ['many long texts', "{% for i in range(999) %}{% set x = 'ab' * 9999999 %}{% endfor %}", 'more than 10000000 steps'],
    ['sums', "{% set ns = namespace(t='a') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", 'longer than 33554432'],
    ['joins', "{{ range(99999)|join('x' * 9999) }}", 'longer than 33554432'],
    ['widths', "{{ 'a'.center(99999999999) }}", 'longer than 33554432'],
    ['formats', "{{ '%99999999s' % 'a' }}", 'a width of more than 10000'],
    ['numbers', '{{ 9 ** (9 ** 9) }}', 'too large a number'],
    ['digits', '{{ 10 ** 4999 }}', 'an int of'],
    ['macros', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', 'macros call one another more than 100 levels deep'],
    ['recursive loops', '{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}', 'more than 100 levels deep'],
    ['values in values', '{% set ns = namespace(v=[]) %}{% for i in range(99999) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v }}', 'nested too deeply'],
    ['brackets', `{{ ${nested(9999)} }}`, 'nested deeper than 100 levels'],
    ['signs', `{{ ${'-'.repeat(9999)}1 }}`, 'nested deeper than 100 levels'],
    ['negations', `{{ ${'not '.repeat(9999)}1 }}`, 'nested deeper than 100 levels'],
    ['sums in a row', `{{ 1${' + 1'.repeat(9999)} }}`, 'more than 1000 operators follow one another'],
    ['members', `{{ a${'.a'.repeat(9999)} }}`, 'more than 1000 members follow one another'],
    ['filters', `{{ a${'|list'.repeat(9999)} }}`, 'filters follow one another'],
    ['calls', `{{ a${'()'.repeat(9999)} }}`, 'more than 1000 members follow one another'],
    ['conditions', `{{ 1${' if 1 else 1'.repeat(9999)} }}`, 'nested deeper than 100 levels'],
    ['statements', `${'{% if 1 %}'.repeat(9999)}${'{% endif %}'.repeat(9999)}`, 'nested deeper than 100 levels'],
    ['length', 'a'.repeat(2 ** 20 + 1), 'the template is longer than 1048576 characters'],
  ])('%s', (_, template, message) => {
    const startedMs = performance.now();
    expect(() => render(template)).toThrow(message);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  }); // prettier-ignore
});
