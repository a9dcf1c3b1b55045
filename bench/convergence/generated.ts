import { seededRandom, type SeededRandom } from '@dropbp/basics';

/** A question about a text, and its answer. */
export interface Question {
  readonly prompt: string;
  readonly answer: string;
}

/** A conversation about a text that stands in front: questions and answers in turn. */
export interface Conversation {
  readonly system: string;
  readonly turns: readonly { readonly question: string; readonly answer: string }[];
}

const fields: Readonly<Record<string, readonly string[]>> = {
  city: [
    'Lisbon',
    'Oslo',
    'Vienna',
    'Cairo',
    'Lima',
    'Dublin',
    'Madrid',
    'Prague',
    'Athens',
    'Warsaw',
    'Havana',
    'Quito',
  ],
  trade: ['baker', 'glazier', 'miner', 'tailor', 'sailor', 'printer', 'potter', 'miller', 'weaver', 'joiner'],
  pet: ['cat', 'dog', 'parrot', 'rabbit', 'goat', 'pony', 'turtle', 'canary'],
  drink: ['tea', 'coffee', 'cider', 'milk', 'water', 'cocoa', 'wine'],
  colour: ['red', 'green', 'blue', 'yellow', 'white', 'black', 'brown', 'grey'],
};
const firstNames = [
  'Anna',
  'Peter',
  'Maria',
  'John',
  'Clara',
  'David',
  'Emma',
  'Frank',
  'Grace',
  'Henry',
  'Irene',
  'James',
];
const goods = [
  'lamp',
  'chair',
  'table',
  'clock',
  'mirror',
  'basket',
  'kettle',
  'blanket',
  'ladder',
  'barrel',
  'candle',
  'hammer',
  'bottle',
  'carpet',
  'window',
  'saddle',
];
const asks = ['How much is the …?', 'What does the … cost?', 'Please tell me the price of the ….'];

/** A list of people, and a question about one. Every fact of a person stands behind its field's name. */
export function recordQuestion(seed: number, people: number): Question {
  const { random, names, facts } = makePeople(seed, people);
  const lines = names.map((name, i) => `${name}. ${Object.entries(facts[i]!).map(([field, fact]) => `${field}: ${fact}`).join(', ')}.`); // prettier-ignore
  const [name, field, fact] = askedFact(random, names, facts);
  return { prompt: `${lines.join('\n')}\nThe ${field} of ${name}:`, answer: ` ${fact}` };
}

/** The same the other way round: a fact stands in front of its field, and a name behind the facts of its person. */
export function backwardsQuestion(seed: number, people: number): Question {
  const { random, names, facts } = makePeople(seed, people);
  const lines = names.map((name, i) => `${Object.entries(facts[i]!).reverse().map(([field, fact]) => `${fact} <${field}>`).join(' ')} <<${name}>>`); // prettier-ignore
  const [name, field, fact] = askedFact(random, names, facts);
  return { prompt: `${lines.join('\n')}\nThe ${field} of ${name}:`, answer: ` ${fact}` };
}

/** A shop whose prices all conversations begin with, and two questions about them. */
export function shopConversation(seed: number): Conversation {
  const shop = seededRandom(0, 4);
  const prices = new Map(goods.map(good => [good, 5 + Math.floor(shop() * 90)]));
  const list = [...prices].map(([good, price]) => `A ${good} costs ${price} crowns.`).join(' ');
  const rules =
    'You are the clerk of a small shop. Answer in one short sentence, name the price, and thank the customer.';
  const random = seededRandom(seed, 5);
  const turns = shuffle(goods, random)
    .slice(0, 2)
    .map(good => ({
      question: pick(asks, random).replace('…', good),
      answer: `The ${good} is ${prices.get(good)!} crowns, thank you.`,
    }));
  return { system: `${rules} ${list}`, turns };
}

type Facts = Readonly<Record<string, string>>;

function makePeople(seed: number, count: number): { random: SeededRandom; names: string[]; facts: Facts[] } {
  const random = seededRandom(seed, 3);
  const names = shuffle(firstNames, random).slice(0, count);
  const facts = names.map(() => Object.fromEntries(Object.entries(fields).map(([field, words]) => [field, pick(words, random)]))); // prettier-ignore
  return { random, names, facts };
}

function askedFact(random: SeededRandom, names: readonly string[], facts: readonly Facts[]): [string, string, string] {
  const person = Math.floor(random() * names.length);
  const field = pick(Object.keys(fields), random);
  return [names[person]!, field, facts[person]![field]!];
}

function pick<T>(items: readonly T[], random: SeededRandom): T {
  return items[Math.floor(random() * items.length)]!;
}

function shuffle<T>(items: readonly T[], random: SeededRandom): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
