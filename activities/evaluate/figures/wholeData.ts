import { isSeen, type Category } from '../../../data/categories.ts';
import { readRows, TENSORS, type ScoredImages } from '../../../data/evaluation/scoreParts.ts';
import type { Group, System } from '../../../data/evaluation/systems.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { GroupData, SystemData } from '../../../model/evaluation/figures.ts';
import { scoredGroups, type ScoredGroup } from '../../../model/evaluation/topHits.ts';
import { readInfluences, type CategoryMeasures } from './measures.ts';

export interface WholeOptions {
  scored: ScoredImages;
  categories: readonly Category[];
  /** Of every category. */
  measures: readonly CategoryMeasures[];
  systems: readonly System[];
  topK: readonly number[];
  stripes: number;
}

/** What figures of a whole evaluation are computed from: per image hits, labels and influences, of every system. */
export async function readWholeData(
  output: ObjectStore,
  { scored, categories, measures, systems, topK, stripes }: WholeOptions,
): Promise<{ groups: GroupData[]; data: Map<System, Map<Group, SystemData>> }> {
  const { images } = scored;
  const groups = scoredGroups(categories.map(isSeen));
  const read = async (tensor: string, rows: number): Promise<Float64Array[]> => {
    const values = new Float32Array(rows * images);
    await readRows(output, scored, tensor, [0, rows], values);
    return Array.from({ length: rows }, (_, row) =>
      Float64Array.from(values.subarray(row * images, (row + 1) * images)),
    );
  };
  const positives = await read(TENSORS.positives, groups.length);
  const influences = await sumInfluences(output, systems, images, stripes);
  const data = new Map<System, Map<Group, SystemData>>();
  for (const system of systems) {
    const hits = await read(TENSORS.hits(system), groups.length * topK.length);
    const { seen, unseen } = influences.get(system)!;
    const ofGroup: Record<Group, () => Float64Array> = {
      seen: () => seen,
      unseen: () => unseen,
      all: () => seen.map((value, i) => value + unseen[i]!),
    };
    data.set(
      system,
      new Map(
        groups.map((group, g) => [
          group.name,
          {
            apSum: sumOver(group, measures, ({ systems: figures }) => figures[system]!.ap),
            influences: ofGroup[group.name](),
            hits: hits.slice(g * topK.length, (g + 1) * topK.length),
          },
        ]),
      ),
    );
  }
  return {
    groups: groups.map((group, g) => ({
      name: group.name,
      categories: group.categories.length,
      categoriesWithPositives: sumOver(group, measures, (category) => (category.positives > 0 ? 1 : 0)),
      positives: positives[g]!,
    })),
    data,
  };
}

/** Of all ranges of categories, by system: [N] each. */
async function sumInfluences(
  output: ObjectStore,
  systems: readonly System[],
  images: number,
  stripes: number,
): Promise<Map<System, { seen: Float64Array; unseen: Float64Array }>> {
  const sums = new Map(
    systems.map((system) => [system, { seen: new Float64Array(images), unseen: new Float64Array(images) }]),
  );
  for (let stripe = 0; stripe < stripes; stripe++)
    for (const [system, own] of await readInfluences(output, stripe)) {
      const { seen, unseen } = sums.get(system)!;
      for (let i = 0; i < images; i++) {
        seen[i]! += own[i]!;
        unseen[i]! += own[images + i]!;
      }
    }
  return sums;
}

const sumOver = (
  { categories }: ScoredGroup,
  measures: readonly CategoryMeasures[],
  value: (category: CategoryMeasures) => number,
): number => categories.reduce((sum, category) => sum + value(measures[category]!), 0);
