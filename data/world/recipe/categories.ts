import type { Split } from '../../categories.ts';
import { CONTEXTS, HYPERNYMS, SYNONYMS, type ContextName, type HypernymName } from './kinds.ts';
import { OBJECTS, type ObjectName, type WorldObject } from './objects.ts';

export type WorldKind = 'object' | 'hypernym' | 'context' | 'synonym';

/** A category of the world, as its categories file lists it. */
export interface WorldCategory {
  name: string;
  kind: WorldKind;
  split: Split;
}

/** The world's 191 categories: objects, hypernyms, contexts, synonyms. */
export const WORLD_CATEGORIES: readonly WorldCategory[] = (
  [
    ['object', OBJECTS],
    ['hypernym', HYPERNYMS],
    ['context', CONTEXTS],
    ['synonym', SYNONYMS],
  ] as const
).flatMap(([kind, table]) =>
  Object.entries(table).map(([name, entry]: [string, object]) => ({
    name,
    kind,
    split: 'unseen' in entry ? ('unseen' as const) : ('seen' as const),
  })),
);

const SYNONYM_OF = new Map<string, string>(Object.entries(SYNONYMS).map(([name, { of }]) => [of, name]));

/** The other word for an object or a context, where there is one. */
export const synonymOf = (name: string): string | undefined => SYNONYM_OF.get(name);

/** All hypernyms of an object, each before what it is a kind of. */
export function hypernymsOf(name: ObjectName): HypernymName[] {
  const found = new Set<HypernymName>((OBJECTS[name] as WorldObject).kinds);
  // A set's iteration goes on over what is added to it.
  for (const hypernym of found) {
    const above = parentOf(hypernym);
    if (above !== undefined) found.add(above);
  }
  return [...found];
}

/** The more general hypernym, where there is one. */
export const parentOf = (name: HypernymName): HypernymName | undefined =>
  (HYPERNYMS[name] as { parent?: HypernymName }).parent;

/**
 * The labels of a scene with these objects: they themselves, their hypernyms, the context, and the synonyms of all; in
 * the order of the categories.
 */
export function labelsOf(objects: Iterable<ObjectName>, context: ContextName): string[] {
  const present = new Set<string>([context]);
  for (const name of objects) for (const label of [name, ...hypernymsOf(name)]) present.add(label);
  for (const name of present) {
    const synonym = synonymOf(name);
    if (synonym !== undefined) present.add(synonym);
  }
  return WORLD_CATEGORIES.map(({ name }) => name).filter((name) => present.has(name));
}
