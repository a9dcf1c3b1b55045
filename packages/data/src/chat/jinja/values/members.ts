import type { Budget } from '../budget.ts';
import { JinjaError } from '../parse/lexer.ts';
import { isEqual } from './operators.ts';
import { callTextMethod, otherTextMethods, textMethods } from '../textMethods.ts';
import {
  Callable,
  charactersOf,
  Dict,
  DictView,
  intOf,
  kindOf,
  lengthOf,
  Loop,
  Namespace,
  Range,
  Safe,
  Tuple,
  Undefined,
  undefinedError,
  type Value,
} from './values.ts';

/** Methods that change what they belong to. transformers refuses them too. */
const MUTATING = new Set(['append', 'clear', 'extend', 'insert', 'pop', 'popitem', 'remove', 'reverse', 'setdefault', 'sort', 'update']); // prettier-ignore

const NUMBER_MEMBERS = new Set(['as_integer_ratio', 'bit_count', 'bit_length', 'conjugate', 'denominator', 'from_bytes', 'fromhex', 'hex', 'imag', 'is_integer', 'numerator', 'real', 'to_bytes']); // prettier-ignore

/** `object.name`: a member, or else the entry of this name. @throws JinjaError for a member that is not supported */
export function attributeOf(object: Value, name: string, budget: Budget): Value {
  budget.step();
  const member = memberOf(object, name, budget);
  if (member !== undefined) return member;
  const entry = entryOf(object, name, budget);
  return entry === undefined ? missing(object, name) : entry;
}

/** `object[key]`: an entry, or else the member of this name. */
export function itemOf(object: Value, key: Value, budget: Budget): Value {
  budget.step();
  const entry = entryOf(object, key, budget);
  if (entry !== undefined) return entry;
  const member = typeof key === 'string' ? memberOf(object, key, budget) : undefined;
  return member === undefined ? missing(object, key) : member;
}

function missing(object: Value, key: Value): Undefined {
  const shown = typeof key === 'string' ? `'${key.slice(0, 100)}'` : typeof key === 'bigint' ? `${key}` : 'such an entry'; // prettier-ignore
  return new Undefined(`${object instanceof Dict ? 'the dict' : kindOf(object)} has no ${shown}`);
}

function entryOf(object: Value, key: Value, budget: Budget): Value | undefined {
  if (object instanceof Undefined) throw undefinedError(object);
  if (object instanceof Dict) return typeof key === 'string' ? object.get(key) : entryByKey(object, key);
  if (object instanceof Safe) throw new JinjaError("a part of a text marked by 'safe' is not supported");
  const length = lengthOf(object);
  const index = intOf(key);
  if (index === undefined || length === undefined || object instanceof DictView || object instanceof Loop)
    return undefined;
  const place = Number(index < 0n ? index + BigInt(length) : index);
  if (place < 0 || place >= length) return undefined;
  if (object instanceof Range) return object.at(place);
  if (object instanceof Tuple) return object.items[place]!;
  if (typeof object !== 'string') return (object as readonly Value[])[place]!;
  if (length === object.length) return object[place]!;
  budget.spend(object.length);
  return charactersOf(object)[place]!;
}

function entryByKey(object: Dict, key: Value): Value | undefined {
  try {
    return object.get(key);
  } catch (error) {
    if (error instanceof JinjaError) return undefined; // a key without a hash is in no dict
    throw error;
  }
}

/** What Python's `getattr` finds. */
export function memberOf(object: Value, name: string, budget: Budget): Value | undefined {
  if (object instanceof Undefined) throw undefinedError(object);
  if (name.startsWith('__') && !(object instanceof Dict && object.get(name) !== undefined)) {
    throw new JinjaError(`the member ${name} is not open to templates`);
  }
  if (object instanceof Namespace) return object.members.get(name);
  if (object instanceof Loop) return loopMember(object, name, budget);
  if (object instanceof Safe) throw new JinjaError("members of a text marked by 'safe' are not supported");
  const method = (run: Callable['call']): Callable => new Callable(name, run);
  if (typeof object === 'string') {
    if (Object.hasOwn(textMethods, name)) return method((args, named) => callTextMethod(name, object, args, named, budget)); // prettier-ignore
    if (otherTextMethods.has(name)) throw new JinjaError(`the method ${name}() of texts is not supported`);
    return undefined;
  }
  if (object instanceof Dict) return dictMember(object, name, method);
  const items = object instanceof Tuple ? object.items : object;
  if (Array.isArray(items)) return listMember(object, items as readonly Value[], name, method, budget);
  if (object instanceof Range || object instanceof DictView) {
    if (['count', 'index', 'isdisjoint', 'mapping', 'start', 'step', 'stop'].includes(name))
      throw notSupported(object, name);
    return undefined;
  }
  if ((typeof object === 'bigint' || typeof object === 'number' || typeof object === 'boolean') && NUMBER_MEMBERS.has(name)) throw notSupported(object, name); // prettier-ignore
  if (object instanceof Callable) throw notSupported(object, name);
  return undefined;
}

function notSupported(object: Value, name: string): JinjaError {
  return new JinjaError(`the member ${name} of ${kindOf(object)} is not supported`);
}

function dictMember(dict: Dict, name: string, method: (run: Callable['call']) => Callable): Value | undefined {
  const view = (sort: DictView['sort']): Callable =>
    method(args => {
      takeNone(args, name);
      return new DictView(dict, sort);
    });
  switch (name) {
    case 'items':
    case 'keys':
    case 'values':
      return view(name);
    case 'get':
      return method(([key, initial, ...more], named) => {
        if (key === undefined || more.length > 0 || named.size > 0)
          throw new JinjaError('get() takes a key and a default');
        const found = dict.get(key);
        return found === undefined ? (initial ?? null) : found;
      });
    case 'copy':
      return method(args => {
        takeNone(args, name);
        return new Dict(dict.entries());
      });
    case 'fromkeys':
      throw notSupported(dict, name);
    default:
      return MUTATING.has(name) && ['clear', 'pop', 'popitem', 'setdefault', 'update'].includes(name)
        ? changing(dict, name)
        : undefined;
  }
}

/** A method that would change its object counts as undefined, and says why once it is called. */
function changing(object: Value, name: string): Undefined {
  return new Undefined(`${name}() would change ${kindOf(object)}, which a template must not`);
}

function listMember(
  object: Value,
  items: readonly Value[],
  name: string,
  method: (run: Callable['call']) => Callable,
  budget: Budget,
): Value | undefined {
  if (name === 'count') {
    return method(([value]) => BigInt(items.filter(item => isEqual(item, value ?? null, budget)).length));
  }
  if (name === 'index') {
    return method(([value, ...more]) => {
      if (more.length > 0) throw new JinjaError('index() within a part of a list is not supported');
      const at = items.findIndex(item => isEqual(item, value ?? null, budget));
      if (at < 0) throw new JinjaError('the value is not in the list');
      return BigInt(at);
    });
  }
  if (object instanceof Tuple) return undefined;
  if (name === 'copy') {
    return method(args => {
      takeNone(args, name);
      return [...items];
    });
  }
  return MUTATING.has(name) && !['popitem', 'setdefault', 'update'].includes(name) ? changing(object, name) : undefined;
}

function takeNone(args: readonly Value[], name: string): void {
  if (args.length > 0) throw new JinjaError(`${name}() takes no arguments`);
}

function loopMember(loop: Loop, name: string, budget: Budget): Value | undefined {
  const { items, index, depth } = loop;
  switch (name) {
    case 'index':
      return BigInt(index + 1);
    case 'index0':
      return BigInt(index);
    case 'revindex':
      return BigInt(items.length - index);
    case 'revindex0':
      return BigInt(items.length - index - 1);
    case 'first':
      return index === 0;
    case 'last':
      return index === items.length - 1;
    case 'length':
      return BigInt(items.length);
    case 'depth':
      return BigInt(depth + 1);
    case 'depth0':
      return BigInt(depth);
    case 'previtem':
      return index > 0 ? items[index - 1]! : new Undefined('there is no previous item');
    case 'nextitem':
      return index + 1 < items.length ? items[index + 1]! : new Undefined('there is no next item');
    case 'cycle':
      return new Callable(name, values => {
        if (values.length === 0) throw new JinjaError('cycle() needs values');
        return values[index % values.length]!;
      });
    case 'changed':
      return new Callable(name, values => {
        const { lastChanged } = loop;
        if (lastChanged !== undefined && isEqual(new Tuple(lastChanged), new Tuple(values), budget)) return false;
        loop.lastChanged = values;
        return true;
      });
    default:
      return undefined;
  }
}
