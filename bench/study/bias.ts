/**
 * A bias per category: what frequency alone has to say, as the rival to whatever else raises F1. Added to a score is
 * `weight x log((n + 1) / (N + 2))`, n of N training images having the category; one that was not trained on has the mean
 * of its kind's.
 */
import { WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { mean } from './measures.ts';

/**
 * @param scores [N, C] of `categories`; a copy comes back
 * @param labels of the training images: indices of categories
 * @param trained categories whose labels are used
 */
export function withBias(
  scores: Float32Array,
  categories: readonly number[],
  labels: readonly (readonly number[])[],
  trained: readonly number[],
  weight: number,
): Float32Array {
  const counts = new Map(trained.map((category) => [category, 0]));
  for (const present of labels)
    for (const category of present) {
      const count = counts.get(category);
      if (count !== undefined) counts.set(category, count + 1);
    }
  const logs = new Map(
    [...counts].map(([category, count]) => [category, Math.log((count + 1) / (labels.length + 2))]),
  );
  const kindOf = (category: number) => WORLD_CATEGORIES[category]!.kind;
  const kinds = Map.groupBy(logs.keys(), kindOf);
  const biases = categories.map(
    (category) =>
      weight *
      (logs.get(category) ?? mean((kinds.get(kindOf(category)) ?? []).map((member) => logs.get(member)!))),
  );
  return scores.map((score, at) => score + biases[at % categories.length]!);
}
