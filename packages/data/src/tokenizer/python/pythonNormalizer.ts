import { sequenceParts, type Component } from '../component.ts';
import { ACCENTS, IDEOGRAPHS, REMOVED } from './unicodeClasses.generated.ts';

/**
 * The normalizer of a `tokenizer.json` in parts that `@huggingface/tokenizers` runs as Python's `tokenizers` does. Its own
 * `BertNormalizer` has the tables of JavaScript's Unicode version, and `Lowercase` writes the last sigma of a word as `ς`.
 * Source: tokenizers, normalizers/bert.rs.
 */
export function pythonNormalizer(component: Component | null): Component | null {
  if (component === null) return null;
  switch (component.type) {
    case 'Sequence':
      return sequence(...sequenceParts(component).map(part => pythonNormalizer(part)!));
    case 'BertNormalizer':
      return bert(component);
    case 'Lowercase':
      return lowercase();
    case 'Replace':
      // JavaScript gives the dollar sign a meaning.
      return { ...component, content: (component.content as string).replaceAll('$', '$$$$') };
    default:
      return component;
  }
}

function bert({
  clean_text: cleans,
  handle_chinese_chars: parts,
  lowercase: lowers,
  strip_accents: strips,
}: Component): Component {
  return sequence(
    ...(cleans === true ? [replace(`[${REMOVED}]`, ''), replace(String.raw`\p{White_Space}`, ' ')] : []),
    ...(parts === true ? [replace(`[${IDEOGRAPHS}]`, ' $& ')] : []),
    ...((strips ?? lowers) === true ? [{ type: 'NFD' }, replace(`[${ACCENTS}]`, '')] : []),
    ...(lowers === true ? [lowercase()] : []),
  );
}

function lowercase(): Component {
  return sequence(replace('Σ', 'σ'), { type: 'Lowercase' });
}

/** @param content - in which `$&` is what was found */
function replace(expression: string, content: string): Component {
  return { type: 'Replace', pattern: { Regex: expression }, content };
}

function sequence(...normalizers: Component[]): Component {
  return { type: 'Sequence', normalizers };
}
