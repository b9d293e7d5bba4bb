/** What training labels say of categories that are seen together. */
import type { GraphEdge } from '../../data/graphFile.ts';

/** Fewer images with both categories are coincidences. */
const MIN_TOGETHER = 5;

/** How much likelier a category must be beside the other than anywhere: a category of every image goes with none. */
const MIN_LIFT = 2;

/** Images without the target that a source is taken to have besides its own, so that rare sources promise less. */
const PRIOR_IMAGES = 5;

/** Weaker evidence is none. */
const MIN_STRENGTH = 0.1;

/** Counts labels, image by image; as large as the number of pairs that occur. */
export class LabelCounts {
  readonly categories: number;
  images = 0;
  /** [categories] Images that a category is present in. */
  readonly single: Float64Array;
  /** Images that both categories are present in, by `lower * categories + higher`. */
  readonly together = new Map<number, number>();

  constructor(categories: number) {
    this.categories = categories;
    this.single = new Float64Array(categories);
  }

  /** @param present indices of the image's categories, ascending. */
  add(present: readonly number[]): void {
    this.images++;
    for (const [i, lower] of present.entries()) {
      this.single[lower]!++;
      for (const higher of present.slice(i + 1)) {
        const pair = lower * this.categories + higher;
        this.together.set(pair, (this.together.get(pair) ?? 0) + 1);
      }
    }
  }
}

/**
 * Edges of `co-occurrence` in both directions between categories whose labels come together. From a to b the strength is
 * how often images of a have b, `n(a, b) / (n(a) + 5)`; there is none where fewer than 5 images have both, where b is
 * less than twice as frequent among images of a as among all, or where the strength is below 0.1.
 *
 * @param names in the order of the counts' categories.
 */
export function coOccurrenceEdges(counts: LabelCounts, names: readonly string[]): GraphEdge[] {
  const { categories, images, single, together } = counts;
  const edges: GraphEdge[] = [];
  for (const [pair, both] of together) {
    const [lower, higher] = [Math.floor(pair / categories), pair % categories];
    const lift = (both * images) / (single[lower]! * single[higher]!);
    if (both < MIN_TOGETHER || lift < MIN_LIFT) continue;
    for (const [source, target] of [
      [lower, higher],
      [higher, lower],
    ] as const) {
      const strength = Math.round((1e4 * both) / (single[source]! + PRIOR_IMAGES)) / 1e4;
      if (strength >= MIN_STRENGTH)
        edges.push({ source: names[source]!, target: names[target]!, relation: 'co-occurrence', strength });
    }
  }
  return edges;
}
