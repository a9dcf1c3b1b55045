/** A sentence may have so many words, and so many in the help of a flag. */
const longest = 25;
const longestHelp = 12;

const words = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Rules that a regular expression can tell, with what to write in place. */
const rules = [
  [
    'inverted negative',
    /\b(?:is|are|was|were|has|have|there's) no(?! (?:longer|more|less|fewer|doubt)\b) [a-z]+/i,
    'say "not", or what there is',
  ],
  ['inverted negative', /\b(?:none|nobody|nothing|no one|nowhere) (?:but|other than|save)\b/i, 'say "only"'],
  ['private word', /\bforetell(?:s|ing)?\b|\bforetold\b/i, 'predict'],
  ['private word', /\bthe way back\b/i, 'backward pass'],
  ['private word', /\bcourse of (?:the )?(?:training|run|loss)\b/i, 'training curves'],
  ['private word', /\b(?:plays|played by|that plays) (?:a |the )?(?:GPU|processor)\b/i, 'software renderer'],
  ['private word', /\b(?:come|comes|came) to nothing\b/i, 'say what fails'],
  ['private word', /\bgone? on from\b/i, 'resume'],
  ['pointing', /\bthat of\b.*\bthat of\b|\bthose of\b.*\bthose of\b/i, 'name the thing again'],
];

/** The sentences of a text, without what surrounds them. */
export function sentencesOf(text) {
  return [...words.segment(text.replaceAll(/\s+/g, ' '))].map(({ segment }) => segment.trim()).filter(Boolean);
}

/** How many words a sentence has: what stands between spaces and holds a letter or a digit. */
export function wordsOf(sentence) {
  return sentence.split(/\s+/).filter(word => /[\p{L}\p{N}]/u.test(word)).length;
}

/** What the rules say of a text of {@link markdownTexts} or {@link sourceTexts}. */
export function findingsOf({ file, line, kind, text, flaw }) {
  if (flaw !== undefined) return [{ file, line, rule: flaw, text }];
  const most = kind === 'help' ? longestHelp : longest;
  return sentencesOf(text).flatMap(sentence => {
    const found = rules.filter(([, pattern]) => pattern.test(sentence));
    const count = wordsOf(sentence);
    return [
      ...(count > most ? [{ file, line, rule: `${count} words`, text: sentence }] : []),
      ...found.map(([rule, pattern, instead]) => ({
        file,
        line,
        rule: `${rule} '${pattern.exec(sentence)[0].slice(0, 40)}' (${instead})`,
        text: sentence,
      })),
    ];
  });
}
