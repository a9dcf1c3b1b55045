import { describe, expect, it } from 'vitest';
import type { ModuleInfo } from '../contract/model.ts';
import { matchesTarget, type TargetRules } from './matchesTarget.ts';
import { patternValue } from './patternValue.ts';
import { selectModules } from './selectModules.ts';
import { shortestTargets } from './shortestTargets.ts';

// What PEFT 0.20 does with these names.
const list = (
  targetModules: string[],
  layersToTransform?: number[],
  layersPattern?: string | string[],
): TargetRules => ({
  targetModules,
  layersToTransform,
  layersPattern,
});
const rows: [name: string, rules: TargetRules, adapted: boolean][] = [
  ['foo', list(['foo']), true],
  ['foo', list(['bar']), false],
  ['foo', list([]), false],
  ['foo', { targetModules: 'foo' }, true],
  ['foo', { targetModules: '.*oo' }, true],
  ['foo', { targetModules: '.*bar.*' }, false],
  ['foobar', { targetModules: '.*oba.*' }, true],
  ['foo.bar.1.baz', list(['baz'], [1], ['bar']), true],
  ['foo.bar.1.baz', list(['baz'], [0], ['bar']), false],
  ['foo.bar.1.baz', list(['baz'], [0, 1, 2], ['bar']), true],
  ['foo.bar.10.baz', list(['baz'], [1], ['bar']), false],
  ['foo.bar.10.baz', list(['baz'], [0], ['bar']), false],
  ['foo.bar.001.baz', list(['baz'], [1], ['bar']), true],
  ['foo.whatever.1.baz', list(['baz'], [1], []), true],
  ['foo.whatever.1.baz', list(['baz'], [1], ''), true],
  ['foo.whatever.1.baz', list(['baz'], [1]), true],
  ['foo.whatever.1.baz', list(['baz'], [0], []), false],
  ['foo.whatever.1.baz', list(['baz'], [0], ''), false],
  ['foo.whatever.1.baz', list(['baz'], [0]), false],
  ['foo.bar.1.baz', list(['baz'], [1], ['foo']), false],
  ['foo.bar.1.baz', list(['baz'], [1], ['baz']), false],
  ['bar.1.baz', list(['baz'], [1], ['bar']), true],
  ['bar.1.baz', list(['baz'], [1]), false],
  ['foo.bar.1.spam.2.baz', list(['baz'], [1], ['bar']), true],
  ['foo.bar.2.spam.1.baz', list(['baz'], [1], ['bar']), false],
  ['blocks.1.weight', list(['weight'], [1], ['blocks']), true],
  ['mlp.blocks.1.weight', list(['weight'], [1], ['blocks']), true],
  ['transformer.h.1.attn.attention.q_proj', list(['q_proj']), true],
  ['transformer.h.1.attn.attention.q_proj', list(['q_proj'], [1], ['h']), true],
  ['transformer.h.1.attn.attention.q_proj', list(['q_proj'], [0], ['h']), false],
  ['transformer.h.1.attn.attention.q_proj.foo', list(['q_proj', 'v_proj']), false],
  ['transformer.h.1.attn.attention.resid_dropout', list(['q_proj', 'v_proj']), false],
  ['model.layers.1.mlp.experts.0.up_proj', list(['up_proj'], [1]), true],
  ['model.layers.1.mlp.experts.0.up_proj', list(['up_proj'], [0]), false],
  ['model.layers.3.self_attn.q_proj', { targetModules: 'q_proj' }, false],
  ['model.layers.3.self_attn.q_proj', list(['.*q_proj']), false],
  ['model.layers.1.xq_proj', list(['q_proj']), false],
  ['q_proj', list(['q_proj'], [5]), true],
  ['model.norm', list(['norm'], [0]), false],
  ['model.layers.2.q_proj', { ...list(['q_proj']), excludeModules: ['layers.2.q_proj'] }, false],
  ['model.layers.2.q_proj', { ...list(['q_proj']), excludeModules: 'layers.2.q_proj' }, true],
  ['score.dense', { ...list(['dense']), modulesToSave: ['score'] }, false],
  ['lm_head', { ...list(['lm_head']), modulesToSave: ['head'] }, true],
  ['lin0', { targetModules: 'lin.*', excludeModules: 'lin0' }, false],
  ['lin1', { targetModules: 'lin.*', excludeModules: 'lin0' }, true],
  ['a.1.b', list(['b'], []), true],
  ['foo.bar.2.baz', list(['baz'], [2], ['spam', 'bar']), true],
];

describe('matchesTarget', () => {
  for (const [name, rules, adapted] of rows) {
    it(`${adapted ? 'adapts' : 'leaves'} ${name} for ${JSON.stringify(rules)}`, () => {
      expect(matchesTarget('peft-lora', name, rules)).toBe(adapted);
    });
  }
  it('takes a single layer as a number', () => {
    const rules = { targetModules: ['baz'], layersToTransform: 1 };
    expect(matchesTarget('peft-lora', 'foo.bar.1.baz', rules)).toBe(true);
    expect(matchesTarget('peft-lora', 'foo.bar.2.baz', rules)).toBe(false);
  });
});

describe('regular expressions of Python', () => {
  const adapts = (targetModules: string, name: string): boolean => matchesTarget('peft-lora', name, { targetModules });
  it('are translated', () => {
    expect(adapts(String.raw`\Amodel\.(?P<kind>q|v)_(?P=kind)\Z`, 'model.q_q')).toBe(true);
    expect(adapts(String.raw`\Amodel\.(?P<kind>q|v)_(?P=kind)\Z`, 'model.q_v')).toBe(false);
    expect(adapts('a{,2}', 'aa')).toBe(true);
    expect(adapts('a{,2}', 'aaa')).toBe(false);
    expect(adapts('[]x]+', 'x]')).toBe(true);
    expect(adapts('[^]x]+', 'ab')).toBe(true);
    expect(adapts('[^]x]+', 'a]')).toBe(false);
    expect(adapts('a|b', 'xb')).toBe(false);
    expect(adapts(String.raw`(?:x|y)\.(?!z).*`, 'y.q')).toBe(true);
    expect(adapts(String.raw`(?<=x)y`, 'xy')).toBe(false);
  });
  it('are refused where JavaScript has no such thing', () => {
    for (const source of ['(?i)Q_PROJ', '(?>a)b', '(?P>n)', '(?(1)a|b)', 'a++', '(', '(?#x)a', '(?i:q)']) {
      expect(() => adapts(source, 'a'), source).toThrow(
        '[@dropbp/peft-lora] targetModules is no regular expression that can be used here (',
      );
    }
  });
});

describe('regular expressions of strangers', () => {
  const name = 'model.layers.0.self_attn.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_proj!';
  const hostile = [
    '(a+)+b', '(a|a)*b', '(.*)*x', '(.*a){20}b', String.raw`(\w+\.?)+x`, '(a*)*b', '((a?){10}a{10}){3}b', '.*.*.*.*.*.*.*.*.*.*x',
    '(?:a|aa|aaa)+b', '(?=(a+)+b)a', '(?<!a)(a+)+b', '(?:(?:(?:a*)*)*)*b',
  ]; // prettier-ignore
  for (const pattern of hostile) {
    it(`take no time: ${pattern}`, () => {
      const startedMs = performance.now();
      for (const rules of [
        { targetModules: `.*${pattern}` },
        { targetModules: `.*`, excludeModules: `.*${pattern}` },
        { targetModules: ['proj!'], layersToTransform: [0], layersPattern: [pattern] },
        { targetModules: ['proj!'], modulesToSave: [`.*${pattern}`] },
      ]) {
        for (let i = 0; i < 100; i++) matchesTarget('peft-lora', `${name}${i}`, rules);
      }
      for (let i = 0; i < 100; i++) patternValue('peft-lora', 'alphaPattern', { [pattern]: 1 }, `${name}${i}`);
      expect(performance.now() - startedMs).toBeLessThan(20_000);
    });
  }
  it('are refused where they are too large', () => {
    const adapts = (targetModules: string): boolean => matchesTarget('peft-lora', name, { targetModules });
    expect(() => adapts('['.repeat(60_000))).toThrow('a class ([…]) is not closed');
    expect(() => adapts('('.repeat(60_000))).toThrow('it is nested deeper than 100 brackets');
    expect(() => adapts('a'.repeat(2_000_000))).toThrow('it is longer than 65536 characters');
    expect(() => adapts('(((a{999}){999}){999}){999}')).toThrow('it is too large once its repetitions are written out');
    expect(() => adapts(String.raw`(a*)*(a*)*(a*)*(a*)*\1\2\3\4b`)).not.toThrow();
    expect(() => adapts(String.raw`.*(a*)(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5\6b`)).toThrow(
      'it takes too many steps to match',
    );
    const keys = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`${i}.*`, 1]));
    expect(() => patternValue('peft-lora', 'rankPattern', keys, name)).toThrow(
      'rankPattern has too many keys; got 10001',
    );
  });
});

describe('patternValue', () => {
  const value = (pattern: Record<string, number>, module: string): number | undefined =>
    patternValue('peft-lora', 'rankPattern', pattern, module)?.value;
  for (const [pattern, module, expected] of [
    [{ foo: 16 }, 'foo', 16],
    [{ foo: 16 }, 'module.foo', 16],
    [{ foo: 16 }, 'module.foobar', undefined],
    [{ foo: 16 }, 'module.module.barfoo', undefined],
    [{ '^module.foo': 16 }, 'foo', undefined],
    [{ '^module.foo': 16 }, 'module.foo', 16],
    [{ '^module.foo': 16 }, 'module.module.foo', undefined],
    [{ 'module.foo': 16 }, 'foo', undefined],
    [{ 'module.foo': 16 }, 'module.foo', 16],
    [{ 'module.foo': 16 }, 'module.module.foo', 16],
    [{ '^q_proj': 16 }, 'model.layers.0.self_attn.q_proj', undefined],
    [{ 'layers.0': 16 }, 'model.layers.0.self_attn.q_proj', undefined],
    [{ 'layers.0.*': 16 }, 'model.layers.0.self_attn.q_proj', 16],
  ] as const) {
    it(`gives ${module} ${expected ?? 'nothing'} from ${JSON.stringify(pattern)}`, () => {
      expect(value(pattern, module)).toBe(expected);
    });
  }
  it('takes keys that agree and refuses keys that do not', () => {
    expect(value({ foo: 4, 'x.foo': 4 }, 'x.foo')).toBe(4);
    expect(() => value({ foo: 4, 'x.foo': 8 }, 'x.foo')).toThrow(
      '[@dropbp/peft-lora] rankPattern gives \'x.foo\' two values; got {"foo":4,"x.foo":8}; write the keys so that one matches: PEFT keeps no order of theirs.',
    );
    expect(value({ foo: 4, 'x.foo': 8 }, 'y.foo')).toBe(4);
  });
});

const linear: ModuleInfo = { kind: 'linear', inFeatures: 4, outFeatures: 4, hasBias: false };
const modules = new Map<string, ModuleInfo>([
  ['model.embed_tokens', { ...linear, kind: 'embedding' }],
  ...[0, 1].flatMap((layer): [string, ModuleInfo][] => [
    [`model.layers.${layer}.input_layernorm`, { ...linear, kind: 'norm' }],
    [`model.layers.${layer}.self_attn.q_proj`, linear],
    [`model.layers.${layer}.self_attn.v_proj`, { ...linear, kind: 'conv1d' }],
    [`model.layers.${layer}.mlp.up_proj`, linear],
  ]),
  ['lm_head', { ...linear, isOutput: true }],
]);
const options = { package: 'peft-lora', kinds: ['linear', 'conv1d'] } as const;
const select = (rules: TargetRules): string[] => selectModules(modules, rules, options);

describe('selectModules', () => {
  it("takes every linear layer but the output for 'all-linear', in any case", () => {
    for (const targetModules of ['all-linear', 'All-Linear']) {
      expect(select({ targetModules })).toEqual([
        'model.layers.0.self_attn.q_proj',
        'model.layers.0.self_attn.v_proj',
        'model.layers.0.mlp.up_proj',
        'model.layers.1.self_attn.q_proj',
        'model.layers.1.self_attn.v_proj',
        'model.layers.1.mlp.up_proj',
      ]);
    }
    expect(select({ targetModules: 'all-linear', excludeModules: ['mlp.up_proj', 'v_proj'] })).toHaveLength(2);
  });
  it('keeps to the layers that are named', () => {
    expect(select({ targetModules: ['q_proj'], layersToTransform: 1 })).toEqual(['model.layers.1.self_attn.q_proj']);
  });
  it('lists every entry that matches nothing, with near names', () => {
    expect(() => select({ targetModules: ['q_proj', 'v_porj', 'w'] })).toThrow(
      "[@dropbp/peft-lora] targetModules: 'v_porj', 'w' matches none of the 10 modules; for 'v_porj' did you mean 'v_proj' or 'q_proj'?",
    );
    expect(() => select({ targetModules: ['zzzzzzzz'] })).toThrow(
      "targetModules: 'zzzzzzzz' matches none of the 10 modules; modules are such as model.embed_tokens, embed_tokens,",
    );
    expect(() => select({ targetModules: [] })).toThrow('targetModules is empty');
  });
  it('says of the file of an adapter that it is for another model', () => {
    const ofFile = { ...options, complete: false };
    expect(() => selectModules(modules, { targetModules: ['c_attn', 'c_proj'] }, ofFile)).toThrow(
      'the adapter does not fit the model: its target_modules name none of the modules there; got ["c_attn","c_proj"]; expected modules such ' +
        'as embed_tokens, input_layernorm, q_proj, v_proj, up_proj; use the model that it was made for',
    );
  });
  it('names the layers of a block', () => {
    expect(() => select({ targetModules: ['self_attn'] })).toThrow(
      "'self_attn' holds modules, so name them: q_proj, v_proj",
    );
  });
  it('tells a list from a regular expression', () => {
    expect(() => select({ targetModules: ['.*q_proj'] })).toThrow(
      'entries of a list are ends of names, a regular expression is a string',
    );
    expect(() => select({ targetModules: 'q_proj' })).toThrow("did you mean ['q_proj']?");
    expect(() => select({ targetModules: '.*query' })).toThrow('module names are such as model.embed_tokens,');
  });
  it('refuses modules of another kind', () => {
    expect(() => select({ targetModules: ['q_proj', 'embed_tokens'] })).toThrow(
      "targetModules names 'model.embed_tokens', which is of kind embedding; expected modules of kind linear or conv1d",
    );
  });
  it('refuses rules that have no effect', () => {
    expect(() => select({ targetModules: '.*q_proj', layersToTransform: [1] })).toThrow('have no effect where');
    expect(() => select({ targetModules: ['q_proj'], layersPattern: 'layers' })).toThrow(
      'layersPattern has no effect without layersToTransform',
    );
    expect(() => select({ targetModules: ['q_proj'], excludeModules: ['v_proj'] })).toThrow(
      'excludeModules excludes nothing that targetModules names; got ["v_proj"]',
    );
    expect(() => select({ targetModules: ['q_proj'], excludeModules: 'v_proj' })).toThrow('excludes nothing');
    expect(() => select({ targetModules: ['q_proj'], layersToTransform: [1, 2] })).toThrow(
      'layersToTransform names layers that the model has not; got [2]; expected 0 to 1',
    );
    expect(() => select({ targetModules: ['q_proj'], excludeModules: ['q_proj'] })).toThrow(
      'targetModules matches 2 modules, but the other rules leave none of them; got {"excludeModules":["q_proj"]}',
    );
  });
  it("leaves idle parts alone in PEFT's files", () => {
    const rules = { targetModules: ['q_proj', 'c_attn'], excludeModules: ['score'] };
    expect(selectModules(modules, rules, { ...options, complete: false })).toHaveLength(2);
  });
});

describe('shortestTargets', () => {
  it('finds ends that match the same modules', () => {
    const targets = select({ targetModules: 'all-linear' });
    expect(shortestTargets(targets, modules.keys())).toEqual(['q_proj', 'up_proj', 'v_proj']);
    expect(select({ targetModules: shortestTargets(targets, modules.keys()) })).toEqual(targets);
  });
  it('uses more of the name where an end is ambiguous', () => {
    const some = select({ targetModules: ['layers.1.self_attn.q_proj', 'v_proj'] });
    expect(shortestTargets(some, modules.keys())).toEqual(['1.self_attn.q_proj', 'v_proj']);
  });
  it('is not confused by a block that ends like a layer', () => {
    expect(shortestTargets(['a.head'], ['a.head', 'b.head.dense'])).toEqual(['a.head']);
  });
});
