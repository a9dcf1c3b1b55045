import { describe, expect, it } from 'vitest';
import type { OnnxModel } from '../onnx/onnxModel.ts';
import { ortBinding } from './ortBinding.ts';
import { ResidentSessions } from './residentSessions.ts';
import { sessionOptions } from './sessionOptions.ts';

const MB = 2 ** 20;

/** `op` twice on that many bytes, which is what lies between both. */
function twice(op: string, bytes: number): OnnxModel {
  const value = (name: string) => ({ name, shape: [bytes / 4], dtype: 'float32' as const });
  const [x, between, y] = [value('x'), value('between'), value('y')];
  const node = (input: string, output: string) => ({ op, inputs: [input], outputs: [output], attributes: {}, domain: '' as const }); // prettier-ignore
  return {
    name: op,
    nodes: [node('x', 'between'), node('between', 'y')],
    inputs: [x],
    outputs: [y],
    constants: [],
    values: new Map([x, between, y].map(value => [value.name, value])),
  };
}

describe('ResidentSessions', () => {
  let events: string[];
  const made = (roomBytes: number): ResidentSessions<{ dispose(): void }> => {
    events = [];
    return new ResidentSessions(({ name }) => {
      events.push(`load ${name}`);
      return { dispose: () => events.push(`dispose ${name}`) };
    }, roomBytes);
  };
  it('lets those go that ran longest ago, when one that is loaded needs their room', () => {
    const sessions = made(48 * MB);
    const [a, b, c] = ['a', 'b', 'c'].map(name => sessions.add(twice(name, 16 * MB)));
    expect(events.splice(0)).toEqual(['load a', 'load b', 'load c']);
    sessions.use(a!);
    const d = sessions.add(twice('d', 16 * MB));
    expect(events.splice(0)).toEqual(['dispose b', 'load d']);
    sessions.use(b!);
    expect(events.splice(0)).toEqual(['dispose c', 'load b']);
    sessions.unload(d);
    sessions.use(c!);
    expect(events).toEqual(['dispose d', 'load c']);
  });
  it('keeps two that take turns, however large, and all small ones', () => {
    const sessions = made(0);
    const small = sessions.add(twice('small', MB));
    const turns = ['a', 'b'].map(name => sessions.add(twice(name, 16 * MB)));
    for (const session of [...turns, ...turns, small]) sessions.use(session);
    expect(events.splice(0)).toEqual(['load small', 'load a', 'load b']);
    sessions.add(twice('c', 16 * MB));
    sessions.add(twice('d', 16 * MB));
    expect(events).toEqual(['load c', 'dispose a', 'load d']);
  });
  it('counts nothing for one that could not be loaded', () => {
    let isBroken = true;
    const sessions = new ResidentSessions(() => {
      if (isBroken) throw new Error('broken');
      return { dispose: () => undefined };
    }, 48 * MB);
    expect(() => sessions.add(twice('a', 16 * MB))).toThrow('broken');
    isBroken = false;
    const [first] = ['b', 'c', 'd'].map(name => sessions.add(twice(name, 16 * MB)));
    expect(first!.loaded).toBeDefined();
  });
  it('gives the same results from a session that was loaded again', () => {
    const binding = ortBinding();
    const sessions = new ResidentSessions(model => binding.load(model, sessionOptions(model, 1)), 0);
    const size = 16 * MB;
    const tensor = (value: number) => ({ type: 'float32' as const, dims: [size / 4], data: new Float32Array(size / 4).fill(value), location: 'cpu' as const }); // prettier-ignore
    const roots = sessions.add(twice('Sqrt', size));
    const others = ['Neg', 'Abs', 'Floor'].map(op => sessions.add(twice(op, size)));
    expect(roots.loaded).toBeUndefined();
    for (const [session, expected] of [
      [roots, 2],
      [others[0]!, 16],
      [roots, 2],
    ] as const) {
      const y = tensor(0);
      sessions.use(session).run({ x: tensor(16) }, { y });
      expect(y.data.every(number => number === expected)).toBe(true);
    }
    for (const session of [roots, ...others]) sessions.unload(session);
    expect(roots.loaded).toBeUndefined();
  });
});
