import { describe, expect, it } from 'vitest';
import { readTrl, tokenizeFixture } from './trlFixture.ts';

const trl = readTrl();

describe("tokens are those of TRL's trainers", () => {
  it.each(Object.keys(trl.tokens))('%s', async name => {
    const tokenized = await tokenizeFixture(trl, name);
    const theirs = trl.tokens[name]!;
    expect(tokenized.rows.length).toBe(theirs.length);
    tokenized.rows.forEach((row, i) => {
      const wanted = (answer: string): number[] =>
        [...theirs[i]!.prompt_ids!, ...theirs[i]![answer]!].slice(0, trl.maxLength);
      const answers =
        'answer' in row ? { completion_ids: row.answer } : { chosen_ids: row.chosen, rejected_ids: row.rejected };
      for (const [key, { ids, labels }] of Object.entries(answers)) {
        expect([...ids], key).toEqual(wanted(key));
        const start = theirs[i]!.prompt_ids!.length;
        expect([...labels], key).toEqual(wanted(key).map((id, at) => (at < start ? -100 : id)));
      }
    });
  });
});
