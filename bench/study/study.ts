/** Everything that the study has to tell: study.json, of which docs/study.md is made. */
import type { TrainSettings } from '../../data/config/trainSchema.ts';
import type { WorldKind } from '../../data/world/recipe/categories.ts';
import type { Difference, Differences } from './comparisons.ts';
import type { GraphChoice } from './graphs.ts';
import type { Figure, Protocol } from './measures.ts';
import {
  C2SRT,
  C2SRT_BIASED,
  CLIP,
  FIXED_K,
  FIXED_K_BIASED,
  SHUFFLED,
  SHUFFLED_WITHIN_KIND,
  WITH_FIXED_K,
  type Family,
  type Row,
} from './rows.ts';
import type { Tuned } from './tuning.ts';

export interface Study {
  /** Whether it is the short one, whose figures say nothing about the method. */
  quick: boolean;
  seeds: number;
  /** SHA-256 of the checkpoint's weights. */
  model: string;
  /** Scenes of each split, all of seed 0. */
  scenes: Record<'train' | 'val' | 'test', number>;
  epochs: number;
  tuning: Record<Family, Tuned>;
  rows: StudyRow[];
  comparisons: Comparison[];
  minutes: number;
}

/** A figure over the seeds, in percent; `sd` null of one run. */
export interface Spread {
  mean: number;
  sd: number | null;
}

export interface StudyRow extends Pick<Row, 'name' | 'section' | 'family'> {
  graph: GraphChoice;
  settings: Partial<TrainSettings>;
  runs: number;
  figures: Record<Protocol, Record<Figure, Spread>>;
  /** mAP by kind of category. */
  byKind: Record<Protocol, Partial<Record<WorldKind, number>>>;
}

/** Row `a` less row `b`. */
export interface Comparison {
  a: string;
  b: string;
  differences: Differences;
}

/** What is to be shown, or to be reported as not shown. */
export interface Goal {
  claim: string;
  a: string;
  b: string;
  protocol: Protocol;
  figure: Figure;
  /** Points by which `a` is to be better. */
  least: number;
}

export const GOALS: readonly Goal[] = [
  ...(
    [
      ['ZSL', 'mAP', 1],
      ['ZSL', 'F1@3', 3],
      ['GZSL', 'mAP', 1],
      ['GZSL', 'F1@3', 4],
    ] as const
  ).map(([protocol, figure, least]) => ({
    claim: 'C²SRT is better than fixed-k patches',
    a: C2SRT,
    b: FIXED_K,
    protocol,
    figure,
    least,
  })),
  {
    claim: 'the gain in F1 is knowledge, not how frequent a kind is',
    a: C2SRT,
    b: SHUFFLED_WITHIN_KIND,
    protocol: 'ZSL',
    figure: 'F1@3',
    least: 3,
  },
  { claim: 'C²SRT is better than CLIP', a: C2SRT, b: CLIP, protocol: 'ZSL', figure: 'mAP', least: 3 },
  {
    claim: 'an adaptive number of patches is better than a fixed one',
    a: C2SRT,
    b: WITH_FIXED_K,
    protocol: 'ZSL',
    figure: 'mAP',
    least: 0.3,
  },
  {
    claim: 'the graph is better than the same shuffled',
    a: C2SRT,
    b: SHUFFLED,
    protocol: 'ZSL',
    figure: 'mAP',
    least: 1,
  },
];

/** Pairs that are compared: those of the goals, and what else tells something. */
export const COMPARED: readonly (readonly [string, string])[] = [
  ...new Map(
    [...GOALS.map(({ a, b }) => [a, b] as const), [C2SRT_BIASED, FIXED_K_BIASED] as const, [FIXED_K, CLIP] as const].map(
      (pair) => [pair.join(), pair],
    ),
  ).values(),
];

/** `reached`: as large as it is to be; `partly`: better beyond doubt, by less; `not`: neither. */
export type Verdict = 'reached' | 'partly' | 'not';

/** A gain counts where its interval lies above 0. */
export function verdictOf({ least }: Goal, { mean, interval }: Difference): Verdict {
  if (interval[0] <= 0) return 'not';
  return mean >= least ? 'reached' : 'partly';
}
