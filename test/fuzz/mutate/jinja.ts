import { decodeText, encodeText, mutateTokens, type Draw, type Mutate } from './draw.ts';

// Templates that a grammar of Jinja makes, and changed ones. Loops are short and few of them nest, so that most end soon.

const names = ['messages', 'message', 'm', 'x', 'ns', 'loop', 'bos_token', 'tools', 'add_generation_prompt', 'missing'];
const attributes = [
  'role',
  'content',
  'x',
  'index',
  'first',
  'last',
  'items()',
  'keys()',
  'strip()',
  'upper()',
  'split()',
];
const constants = [
  ...["'a'", '"é b"', "''", "'1'", "' a\\n'", "'\\u00e9'", '0', '1', '2', '-3', '1.5', '1e3', '0.1', 'true', 'false', 'none', 'True', 'None'],
  ...['[1, 2]', '[]', '{}', "{'a': 1, 'b': [none]}", '(1, 2)', '(1,)', "['b', 'a', 'C']", '1_000', '2 ** 3', '7 // 2', '-7 % 3'],
]; // prettier-ignore
const filters = [
  ...['trim', 'upper', 'lower', 'title', 'capitalize', 'length', 'count', 'first', 'last', 'list', 'string', 'int', 'float', 'abs'],
  ...['tojson', 'tojson(indent=2)', "join(', ')", 'join', 'sort', 'reverse', 'unique', 'sum', 'max', 'min', 'safe', 'e', 'escape'],
  ...["default('d')", "default('d', true)", "d('z')", "replace('a', 'b')", "replace('', '-')", 'indent', 'indent(2, true)', 'round', 'round(1)'],
  ...["map(attribute='role')", "map('upper')", "selectattr('role')", "selectattr('role', 'equalto', 'user')", "rejectattr('x')", "select('odd')"],
  ...["reject('none')", 'items', 'dictsort', "batch(2)", 'slice(2)', "groupby('role')", 'wordcount', 'truncate(5)', 'center(9)', 'urlencode', 'pprint'],
]; // prettier-ignore
const tests = ['defined', 'undefined', 'none', 'string', 'mapping', 'iterable', 'number', 'integer', 'float', 'boolean', 'odd', 'even', 'sequence', 'true', 'false', 'callable', 'divisibleby(2)', 'eq(1)', "in ['a']", 'upper', 'lower', 'not none', 'not defined']; // prettier-ignore
const operators = [
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '**',
  '~',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'and',
  'or',
  'in',
  'not in',
];

function expression(draw: Draw, depth = 0): string {
  const inner = (): string => expression(draw, depth + 1);
  if (depth > 3 || draw.chance(0.3)) return draw.chance(0.5) ? draw.pick(constants) : draw.pick(names);
  return draw.pick([
    () => `${inner()} ${draw.pick(operators)} ${inner()}`,
    () => `${inner()} ${draw.pick(operators)} ${inner()}`,
    () => `(${inner()})`,
    () => `${draw.pick(names)}.${draw.pick(attributes)}`,
    () => `${draw.pick(names)}[${draw.pick(["'role'", '0', '-1', '1:', ':-1', '::-1', '::2', "'x'", inner()])}]`,
    () => `(${inner()})[${draw.pick(['0', '-1', '1:', ':1', '::-1', "'a'"])}]`,
    () => `${inner()} | ${draw.pick(filters)}`,
    () => `(${inner()}) | ${draw.pick(filters)}`,
    () => `(${inner()}) | ${draw.pick(filters)} | ${draw.pick(filters)}`,
    () => `${inner()} is ${draw.pick(tests)}`,
    () => `${draw.pick(['not ', '-', '+'])}${inner()}`,
    () => `(${inner()} if ${inner()} else ${inner()})`,
    () => `[${inner()}, ${inner()}]`,
    () => `{${draw.pick(["'a'", '1', 'none', 'true', "'b'"])}: ${inner()}}`,
    () => `range(${draw.pick(['3', '1, 4', '5, 0, -2', inner()])})`,
    () => `(${inner()})${draw.pick([".split(' ')", '.strip()', ".replace('a', 'e')", ".startswith('a')", '.get("a")', ".format(1)", '.append(1)', '.title()', ".rstrip('a')", ".join(['a','b'])", ".count('a')", ".find('a')"])}`,
    () => draw.pick(['namespace(x=1)', 'dict(a=1)', 'cycler(1, 2)', "joiner(', ')", 'lipsum(1)', "raise_exception('no')", 'strftime_now("%Y")', 'f(1)', 'caller()']),
  ])(); // prettier-ignore
}

function template(draw: Draw, depth = 0): string {
  const inner = (): string => template(draw, depth + 1);
  const [open, close] = [draw.pick(['{%', '{%', '{%-', '{%+']), draw.pick(['%}', '%}', '-%}', '+%}'])];
  const block = (head: string, end: string, body = inner()): string => `${open} ${head} ${close}${body}{% ${end} %}`;
  const parts = Array.from({ length: 1 + draw.below(3) }, () => {
    if (depth > 2) return draw.pick([`{{ ${expression(draw)} }}`, 'text ', ' \n']);
    return draw.pick([
      () => `{{${draw.pick([' ', '- '])}${expression(draw)}${draw.pick([' ', ' -'])}}}`,
      () => `{{ ${expression(draw)} }}`,
      () => draw.pick(['text', '\n', '  \n  ', '<b>', 'é', '{', '}}', '{# note #}', '{#- note -#}']),
      () => block(`for ${draw.pick(['m', 'x', 'k, v', 'message'])} in ${draw.pick(['messages', '[1, 2, 3]', expression(draw)])}${draw.pick(['', '', ' if m', ' recursive'])}`, 'endfor'),
      () => block(`for m in ${draw.pick(['messages', '[]'])}`, 'endfor', `${inner()}{% else %}${inner()}`),
      () => block(`for x in [1, 2, 3]`, 'endfor', `${inner()}{% ${draw.pick(['break', 'continue'])} %}`),
      () => block(`if ${expression(draw)}`, 'endif'),
      () => block(`if ${expression(draw)}`, 'endif', `${inner()}{% elif ${expression(draw)} %}${inner()}{% else %}${inner()}`),
      () => `${open} set ${draw.pick(['x', 'y', 'a, b', 'ns.x', 'messages'])} = ${expression(draw)} ${close}`,
      () => `{% set ns = namespace(x=${expression(draw)}) %}{% set ns.x = ${expression(draw)} %}{{ ns.x }}`,
      () => block(draw.pick(['set x', "set x | upper"]), 'endset'),
      () => `${block(`macro f(a, b=${draw.pick(constants)})`, 'endmacro')}{{ f(${expression(draw)}) }}`,
      () => block(draw.pick(['filter upper', "filter replace('a', 'b')", 'filter trim']), 'endfilter'),
      () => block('raw', 'endraw', draw.pick(['{{ x }}', '{% if %}', 'a'])),
      () => block('generation', 'endgeneration'),
      () => block(draw.pick(['call f(1)', 'with x = 1', 'autoescape true', 'block b']), draw.pick(['endcall', 'endwith', 'endautoescape', 'endblock'])),
    ])(); // prettier-ignore
  });
  return parts.join('');
}

const token = /\{[%{#][-+]?|[-+]?[%}#]\}|\w+|'[^']*'|\s+|[^]/g;
const pieces = [
  ...['{%', '%}', '{{', '}}', '{#', '-%}', '{%-', "'", '"', '|', '[', ']', '(', ')', '.', ',', ':', '~', '**', '%', '=', '==', '\\', '\0', '\n'],
  ...[' if ', ' else ', ' in ', ' is ', ' not ', ' and ', ' or ', 'elif', 'endif', 'endfor', 'recursive', 'loop', 'self', 'super()', 'import', 'include'],
  ...['.__class__', '.constructor', '.__proto__', '.__init__.__globals__', '.prototype', '.length', '[::0]', '|attr("x")', '1 ** 999', '10 ** 400', '1 / 0'],
  ...["'a' * 1000000000", 'range(999999999)', "|replace('', 'aaaaaaaa')", "'%s' % 1", "'{0}'.format(1)", '((((((((((', '))))))))))', '[[[[[[[[[['],
]; // prettier-ignore

/** A template by the grammar, a given one with tokens changed, or one of its expressions replaced. */
export const mutateTemplate: Mutate = (input, draw) => {
  const source = decodeText(input);
  const way = draw.below(10);
  if (way < 4) return encodeText(template(draw));
  if (way < 5) return encodeText(mutateTokens(template(draw), token, pieces, draw));
  if (way < 7) {
    const spots = [...source.matchAll(/\{\{(.*?)\}\}/gs)];
    if (spots.length > 0) {
      const { 0: old, index } = draw.pick(spots);
      return encodeText(`${source.slice(0, index)}{{ ${expression(draw)} }}${source.slice(index + old.length)}`);
    }
  }
  return encodeText(mutateTokens(source, token, pieces, draw));
};
