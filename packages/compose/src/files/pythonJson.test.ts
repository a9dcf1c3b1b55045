import { expect, it } from 'vitest';
import fc from 'fast-check';
import { pythonJson } from './pythonJson.ts';

it("is what Python's json.dumps writes", () => {
  // json.dumps(…, indent=2, sort_keys=True)
  const value = { b: [], a: { '\u{1f600}': 1, '\uff41': 'é\u007f"\\\n', 10: null, 9: true }, c: {}, d: [1, [2.5]] };
  expect(pythonJson(value)).toBe(
    [
      '{',
      '  "a": {',
      '    "10": null,',
      '    "9": true,',
      String.raw`    "\uff41": "\u00e9\u007f\"\\\n",`,
      String.raw`    "\ud83d\ude00": 1`,
      '  },',
      '  "b": [],',
      '  "c": {},',
      '  "d": [',
      '    1,',
      '    [',
      '      2.5',
      '    ]',
      '  ]',
      '}',
    ].join('\n'),
  );
});

it('holds what it was given', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      const text = pythonJson(value);
      expect(text).toMatch(/^[\n -~]*$/);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
