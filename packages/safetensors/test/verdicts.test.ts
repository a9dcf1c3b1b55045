import { Problem } from '@dropbp/basics';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, openSafetensors } from '../src/index.ts';
import { fixtureJson } from './fixture.ts';

type Accepted = Record<string, { dtype: string; shape: number[] }>;
interface Case {
  file: string;
  accepted?: Accepted;
  rejected?: string;
}

const { cases } = fixtureJson('verdicts.json') as { cases: Record<string, Case> };

/** Cases that we refuse, and what the error says. */
const refused: Record<string, string> = {
  '0 bytes': 'is too short; got 0; expected 8 bytes or more',
  '7 bytes': 'is too short; got 7; expected 8 bytes or more',
  'N = 0': 'the header is not valid JSON at character 0; got "the end of the text"; expected a JSON value',
  'N beyond the file': 'ends inside its header; got 70; expected 508 bytes or more; the file is cut short',
  'N one beyond the file': 'ends inside its header; got 10; expected 11 bytes or more',
  'N = 100,000,001': "the header's length is out of range; got 100000001; expected at most 100000000",
  'N = 2^64 - 1': "the header's length is out of range; got 18446744073709551615",
  '{} plus 4 data bytes':
    'the tensors do not cover the data; got 4; expected 0 bytes of data; the file has bytes after',
  '1 byte too many': 'the tensors do not cover the data; got 9; expected 8 bytes of data; the file has bytes after',
  '1 byte too few': 'the tensors do not cover the data; got 7; expected 8 bytes of data; the file is cut short',
  'trailing form feed': 'expected the end of the text',
  'NUL padding': 'expected the end of the text',
  BOM: 'at character 0',
  'trailing comma': 'expected a name in double quotes',
  NaN: 'expected a JSON value',
  'single quotes': 'expected a name in double quotes',
  'array root': 'the header is not a JSON object',
  'null root': 'the header is not a JSON object',
  'two roots': 'expected the end of the text',
  'lone high surrogate escape': 'expected both halves of a surrogate pair',
  'lone low surrogate escape': 'expected both halves of a surrogate pair',
  'high surrogate, then no low one': 'expected both halves of a surrogate pair',
  'two low surrogate escapes': 'expected both halves of a surrogate pair',
  'raw newline in a name': 'expected a string that ends, with control characters escaped',
  'unknown escape': 'expected an escape that JSON knows',
  'short hex escape': 'expected four hexadecimal digits',
  'invalid UTF-8': 'the header is not valid UTF-8',
  'UTF-8 of a surrogate': 'the header is not valid UTF-8',
  'same tensor name twice': 'names "a" twice, the second time at character 54',
  'same tensor name twice, the last tiles': 'names "a" twice',
  '__metadata__ twice': 'names "__metadata__" twice',
  'dtype twice in one entry': 'names "dtype" twice',
  '__metadata__ number value': '__metadata__ is not usable; got "an object"; expected an object of strings',
  '__metadata__ object value': '__metadata__ is not usable',
  '__metadata__ null value': '__metadata__ is not usable',
  '__metadata__ bare string': '__metadata__ is not usable; got "a"',
  '__metadata__ array': '__metadata__ is not usable; got []',
  '__metadata__ is a tensor': '__metadata__ is not usable',
  '__metadata__ key twice': 'names "a" twice',
  'unknown dtype': 'tensor "a" has a dtype that the format does not know; got "F128"; expected one of BOOL, F4',
  'lower-case dtype': 'got "f32"; expected one of BOOL, F4',
  'dtype null': 'tensor "a" has a dtype that the format does not know; got null',
  'dtype as an object': 'tensor "a" has a dtype that the format does not know',
  'missing dtype': 'tensor "a" has no dtype; expected dtype, shape, data_offsets',
  'missing shape': 'tensor "a" has no shape',
  'missing data_offsets': 'tensor "a" has no data_offsets',
  'entry null': 'tensor "a" is not described by an object; got null',
  'shape null': 'tensor "a": shape is not usable; got null; expected a list of integers from 0 to 2^53 - 1',
  'dim -2': 'tensor "a": shape is not usable; got [-2]',
  'dim 2.0': 'tensor "a": shape is not usable',
  'dim 2e0': 'tensor "a": shape is not usable',
  'dim 02': "expected ',' or ']'",
  'dim -0': 'tensor "a": shape is not usable',
  'dim as a string': 'tensor "a": shape is not usable; got ["2"]',
  'dim 2^64': 'tensor "a": shape is not usable',
  'dim 2^64 - 1': 'tensor "a": shape is not usable',
  'dim of 400 digits': 'expected a number that a double can hold',
  'offset -0': 'tensor "a": data_offsets is not usable',
  'offset 8.0': 'tensor "a": data_offsets is not usable',
  'offsets as strings': 'tensor "a": data_offsets is not usable; got ["0","8"]',
  '1 offset': 'tensor "a": data_offsets is not usable; got [8]; expected a begin and an end',
  '3 offsets': 'tensor "a": data_offsets is not usable; got [0,8,8]; expected a begin and an end',
  'extra field of 140 levels': 'expected at most 127 levels of nesting',
  'extra field 1e999': 'expected a number that a double can hold',
  'extra field twice': 'names "x" twice',
  'entry as array': 'tensor "a" is not described by an object; got ["F32","a list","a list"]',
  overlap: 'tensor "b" overlaps the tensor before it; got 3; expected it to begin at 5',
  'two names on one range': 'tensor "b" overlaps the tensor before it',
  hole: 'tensor "b" leaves a gap before it; got 5; expected it to begin at 3',
  'first begin not 0': 'tensor "a" leaves a gap before it; got 2; expected it to begin at 0',
  'begin > end': 'tensor "a" ends before it begins; got [8,0]',
  'zero-size tensor inside another': 'tensor "b" overlaps the tensor before it',
  'size differs from shape * dtype': 'another size than its shape says; got 8; expected 12 bytes for F32 [3]',
  'dims whose product overflows': 'tensor "a" is too large to address; got [4294967296,4294967296]',
  'dims whose product overflows, later 0': 'tensor "a" is too large to address; got [4294967296,4294967296,0]',
  'bits overflow':
    'tensor "a" is too large to address; got [2251799813685248,1024]; expected a size in bits below 2^64',
  '1 TB of nothing': 'the tensors do not cover the data; got 0; expected 1099511627776 bytes of data; the file is cut',
  'F4 with an odd element count':
    'tensor "a" ends inside a byte; got [15]; expected elements of F4 that fill whole bytes',
  'F6 with 3 elements': 'tensor "a" ends inside a byte; got [3]; expected elements of F6_E2M3',
};

/** Where we refuse what the reference implementation accepts, and why. */
const stricter: Record<string, string> = {
  'same tensor name twice': "the format's text forbids it",
  'same tensor name twice, the last tiles': "the format's text forbids it",
  '__metadata__ key twice': "the format's text forbids it",
  'extra field twice': "the format's text forbids it",
  'dtype as an object': 'an accident of the JSON library there',
  'entry as array': 'an accident of the JSON library there',
  'dim 2^64 - 1': 'a number holds integers up to 2^53 - 1',
};

const bytesOfCase = ({ file }: Case) => new Uint8Array(Buffer.from(file, 'base64'));

describe('what is read and what is refused', () => {
  it('agrees with the reference implementation, or is stricter for a reason', () => {
    const disagreeing = Object.keys(cases).filter(name => (cases[name]!.rejected !== undefined) !== name in refused);
    expect(disagreeing.sort()).toEqual(Object.keys(stricter).sort());
    expect(Object.keys(refused).filter(name => !(name in cases))).toEqual([]);
  });

  it.each(Object.keys(refused))('refuses: %s', async name => {
    const bytes = bytesOfCase(cases[name]!);
    expect(() => decodeSafetensors(bytes)).toThrow(Problem);
    expect(() => decodeSafetensors(bytes)).toThrow(`[@dropbp/safetensors] the bytes`);
    expect(() => decodeSafetensors(bytes)).toThrow(refused[name]!);
    const error: unknown = await openSafetensors(new File([bytes], 'x.safetensors')).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Problem);
    expect((error as Problem).message).toContain('x.safetensors');
    expect((error as Problem).message).toContain(refused[name]);
  });

  it.each(Object.keys(cases).filter(name => !(name in refused)))('reads: %s', async name => {
    const bytes = bytesOfCase(cases[name]!);
    const { tensors } = decodeSafetensors(bytes);
    const file = await openSafetensors(new Blob([bytes]));
    const facts = [...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }]);
    expect(Object.fromEntries(facts)).toEqual(cases[name]!.accepted);
    expect([...file.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { data }] of tensors) expect(await file.read(name)).toEqual(new Uint8Array(data));
  });

  it('accepts an unknown field with a notice', () => {
    const { notices } = decodeSafetensors(bytesOfCase(cases['unknown extra field']!));
    expect(notices).toEqual(['the bytes: tensor "a" has the field "x", which the format does not know']);
    expect(decodeSafetensors(bytesOfCase(cases.plain!)).notices).toEqual([]);
  });

  it('reads metadata wherever it stands', () => {
    const metadata = (name: string) => decodeSafetensors(bytesOfCase(cases[name]!)).metadata;
    for (const name of ['__metadata__ string value', '__metadata__ last', '__metadata__ escaped']) {
      expect(metadata(name)).toEqual({ a: 'b' });
    }
    for (const name of ['plain', '__metadata__ null', '__metadata__ {}']) expect(metadata(name)).toEqual({});
  });

  it('says what else a file is', () => {
    const read = (text: string) => () => decodeSafetensors(new TextEncoder().encode(text.padEnd(100)));
    expect(read('version https://git-lfs.github.com/spec/v1')).toThrow(
      "a Git LFS pointer, not the file: run 'git lfs pull'",
    );
    expect(read('PK\x03\x04')).toThrow('a zip archive, as PyTorch pickles are');
    expect(read('<!DOCTYPE html>')).toThrow('a web page: the download went wrong');
    expect(read('GGUF\x03')).toThrow('a GGUF file');
    expect(read('{"error": 1}')).toThrow('looks like JSON');
  });

  it('shortens names that are made to flood the screen', () => {
    const json = JSON.stringify({ ['n'.repeat(100_000)]: 0 });
    const bytes = new Uint8Array(8 + json.length);
    new DataView(bytes.buffer).setUint32(0, json.length, true);
    bytes.set(new TextEncoder().encode(json), 8);
    const error = (() => {
      try {
        return decodeSafetensors(bytes);
      } catch (error) {
        return error;
      }
    })();
    expect((error as Problem).message.length).toBeLessThan(400);
  });
});
