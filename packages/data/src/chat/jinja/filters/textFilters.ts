import { JinjaError } from '../parse/lexer.ts';
import { jsonOf, textOf } from '../values/pythonText.ts';
import { capitalized, joinTexts, padText, replaceText, splitLines, stripText } from '../textMethods.ts';
import { intOf, kindOf, lengthOf, listOf, Safe, Tuple, type Value } from '../values/values.ts';
import { flag, pathReader, sorted, text, type Filter } from './filter.ts';

/** Filters of texts, and those that give one. */
export const textFilters: Readonly<Record<string, Filter>> = {
  capitalize: text(capitalized),
  center: { parameters: ['width'], run: (value, [width = 80n], { budget }) => padText(textOf(value), width, ' ', 'both', budget) }, // prettier-ignore
  indent: {
    parameters: ['width', 'first', 'blank'],
    run(value, [width = 4n, first, blank], { budget }) {
      if (typeof value !== 'string') throw new JinjaError(`indent needs a text, not ${kindOf(value)}`);
      const indent = typeof width === 'string' ? width : padText('', width, ' ', 'left', budget);
      const lines = splitLines(`${value}\n`);
      budget.spend(value.length + lines.length * indent.length);
      const rest = lines.slice(1).map(line => (line !== '' || flag(blank) ? indent + line : line));
      return (flag(first) ? indent : '') + [lines[0]!, ...rest].join('\n');
    },
  },
  join: {
    parameters: ['d', 'attribute'],
    run(value, [between = '', path], context) {
      const items = listOf(value);
      const read = path === undefined || path === null ? (item: Value) => item : pathReader(path, undefined, context);
      return joinTexts(items.map(item => textOf(read(item))), textOf(between), context.budget); // prettier-ignore
    },
  },
  lower: text(value => value.toLowerCase()),
  replace: {
    parameters: ['old', 'new', 'count'],
    needed: 2,
    run(value, [from, to, count], { budget }) {
      if (value instanceof Safe) throw new JinjaError("replace is not supported for a text marked by 'safe'");
      const times = count === undefined || count === null ? -1n : intOf(count);
      if (times === undefined) throw new JinjaError('the count of replace is an int');
      return replaceText(textOf(value), textOf(from!), textOf(to!), times, budget);
    },
  },
  safe: { parameters: [], run: value => new Safe(textOf(value)) },
  string: { parameters: [], run: value => (value instanceof Safe ? value : textOf(value)) },
  title: text(value =>
     
    value.split(/([-\s\x1c-\x1f\x85({[<]+)/).filter(part => part !== '').map(part => {
      if (part.includes('\ufeff')) throw new JinjaError('title is not supported for U+FEFF');
      const first = Array.from(part)[0]!;
      return first.toUpperCase() + part.slice(first.length).toLowerCase();
    }).join(''),
  ), // prettier-ignore
  tojson: {
    parameters: ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
    run(value, [ensureAscii, indent, separators, sortKeys], { budget }) {
      const width = intOf(indent ?? null);
      if (indent !== undefined && indent !== null && width === undefined && typeof indent !== 'string') throw new JinjaError('the indent of tojson is an int or a text'); // prettier-ignore
      if (width !== undefined && width > 1000n) throw new JinjaError('an indent beyond 1000 is not supported');
      const isInLines = indent !== undefined && indent !== null;
      const given = separators instanceof Tuple ? separators.items : separators;
      const pair = given === undefined || given === null ? [isInLines ? ',' : ', ', ': '] : listOf(given);
      if (pair.length !== 2 || pair.some(one => typeof one !== 'string')) throw new JinjaError('the separators of tojson are two texts'); // prettier-ignore
      return budget.made(
        jsonOf(value, {
          escapesNonAscii: flag(ensureAscii),
          indent: typeof indent === 'string' ? indent : isInLines ? ' '.repeat(Math.max(0, Number(width))) : undefined,
          separators: pair as unknown as [string, string],
          sort: flag(sortKeys) ? keys => sorted(keys, key => key, false, budget) : undefined,
        }),
      );
    },
  },
  trim: { parameters: ['chars'], run: (value, [characters]) => stripText(textOf(value), characters, true, true) },
  truncate: {
    parameters: ['length', 'killwords', 'end', 'leeway'],
    run(value, [most = 255n, killWords, end = '...', leeway = 5n]) {
      const [limit, slack] = [intOf(most), intOf(leeway ?? 5n)];
      if (typeof value !== 'string' || typeof end !== 'string' || limit === undefined || slack === undefined) throw new JinjaError('truncate needs a text'); // prettier-ignore
      const [characters, endLength] = [Array.from(value), lengthOf(end)!];
      if (Number(limit) < endLength || slack < 0n) throw new JinjaError('the length of truncate is too small');
      if (characters.length <= Number(limit + slack)) return value;
      const kept = characters.slice(0, Number(limit) - endLength).join('');
      const space = flag(killWords) ? -1 : kept.lastIndexOf(' ');
      return (space < 0 ? kept : kept.slice(0, space)) + end;
    },
  },
  upper: text(value => value.toUpperCase()),
};
