import type { CategoryGraph, GraphEdge } from '../../graphFile.ts';
import { hypernymsOf, parentOf, WORLD_CATEGORIES } from './categories.ts';
import { HYPERNYMS, SYNONYMS, type HypernymName } from './kinds.ts';
import { OBJECT_NAMES, OBJECTS, type WorldObject } from './objects.ts';
import { NEIGHBOURING_CONTEXTS, PARTS, USED_TOGETHER } from './relations.ts';

const STRENGTH = {
  nearestKind: 0.95,
  furtherKind: 0.7,
  /** Of an object that is typical of one context; of n, divided by the root of n. */
  typical: 0.9,
  /** Of a context for its objects, beside that of the object for its context. */
  backwards: 0.7,
  usedTogether: 0.5,
  partToWhole: 0.7,
  wholeToPart: 0.5,
  /** What a synonym keeps of what speaks for its word. */
  throughSynonym: 0.8,
};

/**
 * The world's category graph. Its co-occurrences are the table that scenes are drawn from, so for that relation it is
 * nearly an oracle. Is-a edges run from the special to the general only; where a pair is part and whole, that counts and
 * not the co-occurrence.
 */
export function worldGraph(): CategoryGraph & { categories: string[] } {
  const edges = new Map<string, GraphEdge>();
  const add = (source: string, target: string, relation: GraphEdge['relation'], strength: number): void =>
    void edges.set(JSON.stringify([source, target]), { source, target, relation, strength });

  for (const name of OBJECT_NAMES) {
    const { kinds, contexts }: WorldObject = OBJECTS[name];
    for (const hypernym of hypernymsOf(name))
      add(name, hypernym, 'is-a', kinds.includes(hypernym) ? STRENGTH.nearestKind : STRENGTH.furtherKind);
    const strength = STRENGTH.typical / Math.sqrt(contexts.length);
    for (const context of contexts) {
      add(name, context, 'co-occurrence', strength);
      add(context, name, 'co-occurrence', strength * STRENGTH.backwards);
    }
  }
  for (const hypernym of Object.keys(HYPERNYMS) as HypernymName[]) {
    const parent = parentOf(hypernym);
    if (parent !== undefined) add(hypernym, parent, 'is-a', STRENGTH.nearestKind);
  }
  for (const [a, b, strength] of NEIGHBOURING_CONTEXTS) {
    add(a, b, 'co-occurrence', strength);
    add(b, a, 'co-occurrence', strength);
  }
  for (const [a, b] of USED_TOGETHER) {
    add(a, b, 'functional', STRENGTH.usedTogether);
    add(b, a, 'functional', STRENGTH.usedTogether);
  }
  for (const [part, whole] of PARTS) {
    add(part, whole, 'part-whole', STRENGTH.partToWhole);
    add(whole, part, 'part-whole', STRENGTH.wholeToPart);
  }
  const ofWords = [...edges.values()];
  for (const [name, { of }] of Object.entries(SYNONYMS)) {
    add(name, of, 'synonym', 1);
    add(of, name, 'synonym', 1);
    for (const { source, target, relation, strength } of ofWords)
      if (target === of) add(source, name, relation, strength * STRENGTH.throughSynonym);
  }
  return {
    categories: WORLD_CATEGORIES.map(({ name }) => name),
    edges: [...edges.values()].map((edge) => ({
      ...edge,
      strength: Math.round(edge.strength * 1000) / 1000,
    })),
  };
}
