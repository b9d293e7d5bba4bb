/** Which categories an endpoint is asked about together: those near in text-feature space, and those of like names. */
import { compareUtf8 } from '../../data/utf8Order.ts';
import { lemmasOf, wordsOf } from './nounForms.ts';
import type { NamedCategory } from './wordSenses.ts';

/** Shorter words are inside too many others (an "ant" in every "plant"). */
const MIN_INNER = 4;

/** Share of a shortlist that names may take; the rest is for features. */
const LEXICAL_SHARE = 1 / 3;

/**
 * Makes the shortlists of categories among `nodes`.
 *
 * First come categories of like names: those that share a word (a singular counts as its plural), or one of whose words
 * lies inside a word of the other (board, snowboard), rare words before common ones; at most a third. The rest are those
 * of the nearest features. One shortlist costs N comparisons of d numbers, and has `size` members whatever N is.
 *
 * @param features unit-length text features, [N, d] row-major, in the order of `nodes`.
 * @param size the most categories of a shortlist.
 * @returns the shortlist of a node, by index, nearest first: node indices without its own. Ties go by name.
 */
export function shortlister(
  nodes: readonly NamedCategory[],
  features: Float32Array,
  size: number,
): (node: number) => number[] {
  const d = features.length / nodes.length;
  const like = likeNames(nodes);
  return (node) => {
    const similarity = nodes.map((_, other) => product(features, d, node, other));
    const byName = (a: number, b: number): number => compareUtf8(nodes[a]!.name, nodes[b]!.name);
    const alike = like(node);
    const lexical = [...alike.keys()]
      .sort((a, b) => alike.get(b)! - alike.get(a)! || similarity[b]! - similarity[a]! || byName(a, b))
      .slice(0, Math.floor(size * LEXICAL_SHARE));
    const near = nodes
      .map((_, other) => other)
      .filter((other) => other !== node)
      .sort((a, b) => similarity[b]! - similarity[a]! || byName(a, b))
      .slice(0, size);
    return [...new Set([...lexical, ...near])].slice(0, size);
  };
}

/**
 * Of the nodes `among`, the one whose features are nearest to another node's; undefined where there is no other.
 *
 * @param features unit-length, [count, d] row-major.
 */
export function nearestAmong(
  features: Float32Array,
  count: number,
  node: number,
  among: readonly number[],
): number | undefined {
  let nearest: { other: number; similarity: number } | undefined;
  for (const other of among) {
    if (other === node) continue;
    const similarity = product(features, features.length / count, node, other);
    if (nearest === undefined || similarity > nearest.similarity) nearest = { other, similarity };
  }
  return nearest?.other;
}

/** The inner product of two rows of d features. */
function product(features: Float32Array, d: number, a: number, b: number): number {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += features[a * d + k]! * features[b * d + k]!;
  return sum;
}

/** For each node, the others of like names, and how rare what they share is: the sum of one over its frequency. */
function likeNames(nodes: readonly NamedCategory[]): (node: number) => Map<number, number> {
  const words = nodes.map(({ name, aliases = [] }) => new Set([name, ...aliases].flatMap(wordForms)));
  const having = new Map<string, number[]>();
  for (const [node, own] of words.entries())
    for (const word of own) {
      const list = having.get(word);
      if (list === undefined) having.set(word, [node]);
      else list.push(node);
    }
  const inner = new Map([...having.keys()].map((word) => [word, innerWords(word, having)]));
  const outer = new Map<string, string[]>();
  for (const [word, inside] of inner)
    for (const part of inside) outer.set(part, [...(outer.get(part) ?? []), word]);
  return (node) => {
    const found = new Map<number, number>();
    for (const word of words[node]!)
      for (const shared of [word, ...inner.get(word)!, ...(outer.get(word) ?? [])]) {
        const others = having.get(shared)!;
        for (const other of others)
          if (other !== node) found.set(other, (found.get(other) ?? 0) + 1 / others.length);
      }
    return found;
  };
}

/** The words of a name, each with the singulars that it may be a plural of. */
const wordForms = (name: string): string[] =>
  wordsOf(name)
    .flatMap((word) => word.split('-'))
    .filter((word) => word.length > 2)
    .flatMap((word) => [...lemmasOf([word])]);

/** The known words inside a longer one. */
function innerWords(word: string, known: ReadonlyMap<string, unknown>): string[] {
  const found = new Set<string>();
  for (let from = 0; from + MIN_INNER <= word.length; from++)
    for (let to = from + MIN_INNER; to <= word.length; to++)
      if (to - from < word.length && known.has(word.slice(from, to))) found.add(word.slice(from, to));
  return [...found];
}
