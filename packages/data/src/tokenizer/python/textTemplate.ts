import { problem } from '@dropbp/basics';
import type { EncodedPair } from '../tokenizer.ts';
import { leavesOf, type Component } from '../component.ts';

/** Puts what belongs around one text, or around two. */
export interface TextTemplate {
  single(ids: readonly number[], addSpecialTokens: boolean): number[];
  /** @throws Problem where the template does not hold both texts once */
  pair(first: readonly number[], second: readonly number[], addSpecialTokens: boolean): EncodedPair;
}

interface Piece {
  readonly SpecialToken?: { readonly id: string; readonly type_id: number };
  readonly Sequence?: { readonly id: 'A' | 'B'; readonly type_id: number };
}

/** What a `TemplateProcessing` of a `tokenizer.json` holds. */
export interface Template {
  readonly single: readonly Piece[];
  readonly pair: readonly Piece[];
  readonly special_tokens: Readonly<Record<string, { readonly id: string; readonly ids: readonly number[]; readonly tokens: readonly string[] }>>; // prettier-ignore
}

const PLAIN: Template = { single: [sequence('A', 0)], pair: [sequence('A', 0), sequence('B', 1)], special_tokens: {} };

/** The template in a post-processor; without one, texts stand as they are. @param source - for messages */
export function textTemplate(component: Component | null, source: string): TextTemplate {
  const { single, pair, special_tokens: special } = templatesIn(component)[0] ?? PLAIN;
  const filled = (
    pieces: readonly Piece[],
    texts: Readonly<Record<'A' | 'B', readonly number[]>>,
    withSpecial: boolean,
  ): EncodedPair => {
    const parts = pieces.flatMap(({ SpecialToken: token, Sequence: text }) => {
      if (text !== undefined) return [{ ids: texts[text.id], type: text.type_id }];
      return withSpecial ? [{ ids: special[token!.id]!.ids, type: token!.type_id }] : [];
    });
    return {
      ids: parts.flatMap(({ ids }) => ids),
      tokenTypes: parts.flatMap(({ ids, type }) => ids.map(() => type)),
    };
  };
  return {
    single: (ids, withSpecial) => filled(single, { A: ids, B: [] }, withSpecial).ids,
    pair(first, second, withSpecial) {
      const places = pair.flatMap(({ Sequence: text }) => (text === undefined ? [] : [text.id]));
      if (places.join() !== 'A,B') {
        throw problem('data', {
          what: `${source} has a template that does not hold each text of a pair once`,
          got: places,
          expected: 'Sequence A, then Sequence B in pair',
        });
      }
      return filled(pair, { A: first, B: second }, withSpecial);
    },
  };
}

/** Every template in a post-processor. */
export function templatesIn(component: Component | null): readonly Template[] {
  return leavesOf(component).flatMap(part => {
    switch (part.type) {
      case 'TemplateProcessing':
        return [part as unknown as Template];
      case 'BertProcessing':
        return [modelTemplate(part as unknown as Around, 1, false)];
      case 'RobertaProcessing':
        return [modelTemplate(part as unknown as Around, 0, true)];
      default:
        return [];
    }
  });
}

interface Around {
  readonly cls: readonly [string, number];
  readonly sep: readonly [string, number];
}

/** BERT's and RoBERTa's own kinds. @param second - the type of the second text. @param twice - whether two tokens part the texts */
function modelTemplate({ cls, sep }: Around, second: number, twice: boolean): Template {
  const [start, end] = [special(cls[0], 0), special(sep[0], 0)];
  const entry = ([token, id]: readonly [string, number]): Template['special_tokens'][string] => ({ id: token, ids: [id], tokens: [token] }); // prettier-ignore
  return {
    single: [start, sequence('A', 0), end],
    pair: [start, sequence('A', 0), end, ...(twice ? [end] : []), sequence('B', second), special(sep[0], second)],
    special_tokens: { [cls[0]]: entry(cls), [sep[0]]: entry(sep) },
  };
}

function special(id: string, type: number): Piece {
  return { SpecialToken: { id, type_id: type } };
}

function sequence(id: 'A' | 'B', type: number): Piece {
  return { Sequence: { id, type_id: type } };
}
