/** What a run's scores come to, and what each image has to do with it. */
import { WORLD_CATEGORIES, type WorldKind } from '../../data/world/recipe/categories.ts';
import { RankedPrecision } from '../../model/evaluation/rankedPrecision.ts';
import { topScores } from '../../model/topScores.ts';
import type { Scenes } from './lab.ts';

export const PROTOCOLS = ['ZSL', 'GZSL'] as const;
/** Over the unseen categories alone, or over all. */
export type Protocol = (typeof PROTOCOLS)[number];

export const TOP_K = [3, 5] as const;
export const FIGURES = ['mAP', 'F1@3', 'F1@5'] as const;
export type Figure = (typeof FIGURES)[number];

/** Of one run under one protocol; figures in percent. */
export interface Measured {
  figures: Record<Figure, number>;
  /** mAP over the categories of a kind that the protocol has. */
  byKind: Partial<Record<WorldKind, number>>;
  /** [N] By how many points an image's weight changes mAP. */
  influences: number[];
  /** For each of {@link TOP_K}, [N]: how many of an image's K highest scores are present. */
  hits: number[][];
  /** [N] Categories that are present. */
  positives: number[];
}

export type Measures = Record<Protocol, Measured>;

/**
 * @param scores [N, C], of `categories`, indices into the world's
 * @param unseen those of them that ZSL is about
 */
export function measure(
  scenes: Scenes,
  scores: Float32Array,
  categories: readonly number[],
  unseen: ReadonlySet<number>,
): Measures {
  const present = scenes.present.map((own) => new Set(own));
  const ranked = new RankedPrecision(scenes.images);
  const column = new Float32Array(scenes.images);
  const labels = new Int8Array(scenes.images);
  const under = (isScored: (category: number) => boolean): Measured => {
    const places = categories.flatMap((category, at) => (isScored(category) ? [at] : []));
    const influences = new Float64Array(scenes.images);
    const precisions = places.map((at) => {
      for (let i = 0; i < scenes.images; i++) {
        column[i] = scores[i * categories.length + at]!;
        labels[i] = present[i]!.has(categories[at]!) ? 1 : -1;
      }
      return {
        kind: WORLD_CATEGORIES[categories[at]!]!.kind,
        ap: ranked.measure(column, labels, influences).ap,
      };
    });
    const minimums = new Float32Array(categories.length).fill(NaN);
    for (const at of places) minimums[at] = -Infinity;
    const hits: number[][] = TOP_K.map(() => []);
    const positives: number[] = [];
    for (let i = 0; i < scenes.images; i++) {
      const own = scores.subarray(i * categories.length, (i + 1) * categories.length);
      const top = [...topScores(own, Math.max(...TOP_K), minimums)].map((at) =>
        present[i]!.has(categories[at]!),
      );
      for (const [k, limit] of TOP_K.entries()) hits[k]!.push(top.slice(0, limit).filter(Boolean).length);
      positives.push(places.filter((at) => present[i]!.has(categories[at]!)).length);
    }
    const kinds = Map.groupBy(precisions, ({ kind }) => kind);
    const scale = 100 / Math.max(1, places.length);
    return {
      figures: {
        mAP: mean(precisions.map(({ ap }) => 100 * ap)),
        'F1@3': f1(hits[0]!, positives, 3),
        'F1@5': f1(hits[1]!, positives, 5),
      },
      byKind: Object.fromEntries(
        [...kinds].map(([kind, own]) => [kind, mean(own.map(({ ap }) => 100 * ap))]),
      ),
      influences: [...influences].map((influence) => scale * influence),
      hits,
      positives,
    };
  };
  return { ZSL: under((category) => unseen.has(category)), GZSL: under(() => true) };
}

/** Micro F1 over images that are given K tags each, in percent. */
function f1(hits: readonly number[], positives: readonly number[], k: number): number {
  return (200 * sum(hits)) / (hits.length * k + sum(positives));
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]): number => sum(values) / Math.max(1, values.length);
