import type { RandomStream } from '../../random.ts';
import { hypernymsOf, synonymOf, WORLD_CATEGORIES } from '../recipe/categories.ts';
import { CONTEXTS, type ContextName } from '../recipe/kinds.ts';
import { OBJECT_NAMES, type ObjectName } from '../recipe/objects.ts';
import { chance, pick } from './draw.ts';

/** What can be said of a scene. */
export interface Sayable {
  context: ContextName;
  /** The labelled objects, each name once, with the pixels that are seen of all of its kind. */
  objects: ReadonlyMap<ObjectName, number>;
}

/** What people say of a scene. */
export interface Said {
  /** Sentences about the whole; they leave things out, and now and then name something that is not there. */
  captions: string[];
  /** Sentences about one thing that is there, {@link MENTIONS_EACH} about each. */
  mentions: string[];
}

const CAPTIONS = 4;
const MENTIONS_EACH = 3;
/** How often a thing is said by a hypernym, or by a synonym where it has one. */
const BY_HYPERNYM = 0.15;
const BY_SYNONYM = 0.25;
/** How often a caption says the context, and something false. */
const WITH_CONTEXT = 0.45;
const FALSE = 0.06;
/** A thing of hardly any pixels is said with the first probability, one of {@link LARGE_PX} or more with their sum. */
const SAID_SMALL = 0.35;
const SAID_LARGE = 0.55;
const LARGE_PX = 600;

const CAPTION_OPENINGS = [
  'a photo of',
  'a picture of',
  'an image of',
  'a scene with',
  'there is',
  'we see',
  '',
];
const MENTION_OPENINGS = ['a photo of', 'a picture of', 'an image of', ''];

/** Every word that a scene is described with, in lower case, and `,`; sorted by code units. */
export function describingWords(): string[] {
  const phrases = [
    ...WORLD_CATEGORIES.map(({ name }) => name),
    ...Object.values(CONTEXTS).map(({ phrase }) => phrase),
    ...CAPTION_OPENINGS,
    ...MENTION_OPENINGS,
    'the a an , and',
  ];
  return [...new Set(phrases.flatMap((phrase) => phrase.toLowerCase().split(' ')))]
    .filter((word) => word !== '')
    .sort();
}

/** Draws captions and mentions. Words are parted by spaces, commas too, as a word-level tokenizer wants it. */
export function describeScene(stream: RandomStream, { context, objects }: Sayable): Said {
  const word = (name: ObjectName): string => {
    const synonym = synonymOf(name);
    if (synonym !== undefined && chance(stream, BY_SYNONYM)) return synonym;
    const hypernyms = hypernymsOf(name);
    return hypernyms.length > 0 && chance(stream, BY_HYPERNYM) ? pick(stream, hypernyms) : name;
  };
  const noun = (name: ObjectName): string => {
    const said = word(name);
    return pick(stream, [said, `the ${said}`, withArticle(said)]);
  };
  const place = (): string => {
    const { phrase } = CONTEXTS[context];
    const synonym = synonymOf(context);
    return synonym !== undefined && chance(stream, BY_SYNONYM) ? phrase.replace(context, synonym) : phrase;
  };

  const caption = (): string => {
    const order = [...stream.permutation(objects.size)].map((at) => [...objects][at]!);
    const said = order
      .filter(([, pixels]) => chance(stream, SAID_SMALL + SAID_LARGE * Math.min(1, pixels / LARGE_PX)))
      .map(([name]) => name);
    if (said.length === 0) said.push(order[0]![0]);
    if (chance(stream, FALSE)) said[stream.integer(said.length)] = pick(stream, OBJECT_NAMES);
    const things = said.map(noun);
    const last = things.pop()!;
    const list = things.length === 0 ? last : `${things.join(' , ')} and ${last}`;
    return sentence(pick(stream, CAPTION_OPENINGS), list, chance(stream, WITH_CONTEXT) ? place() : '');
  };

  return {
    captions: Array.from({ length: CAPTIONS }, caption),
    mentions: [...objects.keys()].flatMap((name) =>
      Array.from({ length: MENTIONS_EACH }, () => sentence(pick(stream, MENTION_OPENINGS), noun(name))),
    ),
  };
}

const withArticle = (word: string): string => `${/^[aeiou]/i.test(word) ? 'an' : 'a'} ${word}`;

const sentence = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');
