/** Figures of several systems on the same images, with bootstrap intervals, and the differences between systems. */
import type { FigureIntervals } from '../../data/evaluation/metricsFile.ts';
import type { Group, System } from '../../data/evaluation/systems.ts';
import {
  differenceOf,
  figureOf,
  intervalOf,
  resampleSums,
  type BootstrapOptions,
  type Resampled,
  type ResampledSums,
} from './bootstrap.ts';

/** A group of categories on the images. */
export interface GroupData {
  name: Group;
  categories: number;
  categoriesWithPositives: number;
  /** [N] labels of the group that an image has. */
  positives: Float64Array;
}

/** What a system came to in a group. */
export interface SystemData {
  /** Sum of the average precisions of its categories, in [0, 1] each. */
  apSum: number;
  /** [N] sum of the images' influences on them. */
  influences: Float64Array;
  /** For each K, [N]: how many of an image's K highest scores are present. */
  hits: readonly Float64Array[];
}

export interface FiguresOptions extends BootstrapOptions {
  topK: readonly number[];
  /** Images without a positive in the group, for F1@K. */
  withoutPositives: 'kept' | 'dropped';
  confidence: number;
}

export interface GroupFigures {
  figures: FigureIntervals;
  /** F1@K, precision@K and recall@K by the other protocol. */
  otherProtocol: FigureIntervals;
}

export interface Figures {
  /** By system and group, in percent. */
  systems: Map<System, Map<Group, GroupFigures>>;
  /** The candidate's figures less those of each other system, in points. */
  differences: Map<System, Map<Group, FigureIntervals>>;
}

type Samples = Map<string, Resampled>;

/** @param systems by system and group; `candidate` is among them. */
export async function figuresOf(
  groups: readonly GroupData[],
  systems: ReadonlyMap<System, ReadonlyMap<Group, SystemData>>,
  options: FiguresOptions,
): Promise<Figures> {
  const columns: Float64Array[] = [];
  const place = (column: Float64Array): number => columns.push(column) - 1;
  const images = place(new Float64Array(options.images).fill(1));
  const groupPlaces = groups.map((group) => ({
    group,
    positives: place(group.positives),
    images: place(group.positives.map((count) => (count > 0 ? 1 : 0))),
  }));
  const systemPlaces = [...systems].map(([system, data]) => ({
    system,
    groups: groupPlaces.map((shared) => {
      const { apSum, influences, hits } = data.get(shared.group.name)!;
      return { ...shared, apSum, influences: place(influences), hits: hits.map(place) };
    }),
  }));
  const sums = await resampleSums(columns, options);

  const { topK, withoutPositives, confidence } = options;
  const primary = new Map<System, Map<Group, Samples>>();
  const figures: Figures = { systems: new Map(), differences: new Map() };
  const intervals = (samples: Samples): FigureIntervals =>
    Object.fromEntries([...samples].map(([name, figure]) => [name, intervalOf(figure, confidence)]));
  for (const { system, groups: places } of systemPlaces) {
    const own = new Map<Group, Samples>();
    const shown = new Map<Group, GroupFigures>();
    for (const { group, apSum, influences, hits, positives, images: withPositive } of places) {
      const top = (countedImages: number): Samples =>
        topFigures(
          topK,
          hits.map((at) => sums[at]!),
          sums[positives]!,
          sums[countedImages]!,
        );
      const [counted, others] = withoutPositives === 'kept' ? [images, withPositive] : [withPositive, images];
      const samples: Samples = new Map([
        ['mAP', meanPrecision(apSum, sums[influences]!, group.categories)],
        [
          'mAPOverCategoriesWithPositives',
          meanPrecision(apSum, sums[influences]!, group.categoriesWithPositives),
        ],
        ...top(counted),
      ]);
      own.set(group.name, samples);
      shown.set(group.name, { figures: intervals(samples), otherProtocol: intervals(top(others)) });
    }
    primary.set(system, own);
    figures.systems.set(system, shown);
  }
  const candidate = primary.get('candidate')!;
  for (const [system, own] of primary) {
    if (system === 'candidate') continue;
    const byGroup = new Map<Group, FigureIntervals>();
    for (const [group, samples] of own)
      byGroup.set(
        group,
        intervals(
          new Map(
            [...samples].map(([name, figure]) => [
              name,
              differenceOf(candidate.get(group)!.get(name)!, figure),
            ]),
          ),
        ),
      );
    figures.differences.set(system, byGroup);
  }
  return figures;
}

/** mAP of resamples, to first order in how often each image was drawn (rankedPrecision.ts). */
function meanPrecision(apSum: number, influences: ResampledSums, categories: number): Resampled {
  const scale = categories === 0 ? 0 : 100 / categories;
  const value = scale * apSum;
  return { value, samples: influences.resampled.map((change) => value + scale * change) };
}

function topFigures(
  topK: readonly number[],
  hits: readonly ResampledSums[],
  positives: ResampledSums,
  images: ResampledSums,
): Samples {
  return new Map(
    topK.flatMap((k, at): [string, Resampled][] => [
      [
        `F1@${k}`,
        figureOf(
          (hit, present, count) => percent(2 * hit, count * k + present),
          hits[at]!,
          positives,
          images,
        ),
      ],
      [`precision@${k}`, figureOf((hit, count) => percent(hit, count * k), hits[at]!, images)],
      [`recall@${k}`, figureOf((hit, present) => percent(hit, present), hits[at]!, positives)],
    ]),
  );
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
