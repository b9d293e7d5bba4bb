import type { CategoryGraph } from '../../../data/graphFile.ts';
import { labelsOf, type ScoredImages } from './scoredImages.ts';

/** Pairs that are listed, those with the most wrong images first. */
const LISTED = 200;

/** How often a category is scored above its sibling where only the sibling is there. */
export interface Confusion {
  /** Indices of categories: what is in the images, and what is scored above it. */
  present: number;
  above: number;
  /** A kind that both are of. */
  kind: string;
  /** Images with the one and without the other, and those of them in which the other has the higher score. */
  images: number;
  wrong: number;
}

/** Confusions between categories of the same kind: those with is-a edges to the same category. */
export function siblingConfusions(
  graph: CategoryGraph,
  names: readonly string[],
  scored: ScoredImages,
): Confusion[] {
  const { rows, scores } = scored;
  const siblings = siblingsOf(graph, names);
  const known = new Map<number, Int8Array>();
  const pairs = new Map<string, Confusion>();
  for (const [i, row] of rows.entries())
    for (const present of row.present)
      for (const [above, kind] of siblings.get(present) ?? []) {
        let labels = known.get(i);
        if (!labels) known.set(i, (labels = labelsOf(row, names.length)));
        if (labels[above] !== -1) continue;
        const pair = `${present} ${above}`;
        const confusion = pairs.get(pair) ?? { present, above, kind, images: 0, wrong: 0 };
        confusion.images++;
        if (scores[i * names.length + above]! > scores[i * names.length + present]!) confusion.wrong++;
        pairs.set(pair, confusion);
      }
  return [...pairs.values()]
    .filter(({ wrong }) => wrong > 0)
    .sort((a, b) => b.wrong - a.wrong || a.images - b.images || a.present - b.present || a.above - b.above)
    .slice(0, LISTED);
}

/** Of each category its siblings, each with the smallest kind that both are of. */
function siblingsOf({ edges }: CategoryGraph, names: readonly string[]): Map<number, Map<number, string>> {
  const indices = new Map(names.map((name, i) => [name, i]));
  const kinds = new Map<string, number[]>();
  for (const { source, target, relation } of edges) {
    const member = indices.get(source);
    if (relation !== 'is-a' || member === undefined) continue;
    const members = kinds.get(target);
    if (members) members.push(member);
    else kinds.set(target, [member]);
  }
  const siblings = new Map<number, Map<number, string>>();
  // A kind may be of a kind itself: it is no sibling of what it contains.
  const parents = new Set(
    edges.filter(({ relation }) => relation === 'is-a').map(({ source, target }) => `${source}\0${target}`),
  );
  const contains = (a: number, b: number): boolean => parents.has(`${names[a]!}\0${names[b]!}`);
  for (const [kind, members] of [...kinds].sort(([, a], [, b]) => a.length - b.length))
    for (const a of members)
      for (const b of members) {
        if (a === b || contains(a, b) || contains(b, a)) continue;
        let own = siblings.get(a);
        if (!own) siblings.set(a, (own = new Map<number, string>()));
        if (!own.has(b)) own.set(b, kind);
      }
  return siblings;
}
