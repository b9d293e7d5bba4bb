import { GROUPS } from '../../../data/evaluation/systems.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { Failure } from '../../../data/failure.ts';
import { RELATIONS } from '../../../data/graphFile.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { showImages } from '../images/showImages.ts';
import { scoredAgain, testImages } from '../model/modelReport.ts';
import { readModelParts, type EvaluationPart, type ModelParts } from '../model/modelParts.ts';
import { labelsOf, type ScoredImages } from '../model/scoredImages.ts';
import type { Report, ReportOptions } from '../report.ts';

/** An image that two models differ on. */
interface ImageDifference {
  /** Places among the scored images of either. */
  at: number;
  before: number;
  /** Average precision of the image's labels by either, in percent. */
  from: number;
  to: number;
}

/**
 * What changed from one model to another, by their evaluations.
 *
 * @throws Failure `Report.NoFigures` where one of them has no figures
 */
export async function compareModels(
  [subject, against]: readonly [ObjectStore, ObjectStore],
  [evaluation, other]: readonly [ObjectStore | undefined, ObjectStore | undefined],
  options: ReportOptions,
): Promise<Report> {
  const now = await readModelParts(subject, evaluation);
  const before = await readModelParts(against, other);
  const images =
    now.evaluation &&
    before.evaluation &&
    (await differingImages(now.evaluation, before.evaluation, options));
  return {
    kind: 'comparison',
    title: `${nameOf(now)} against ${nameOf(before)}`,
    data: {
      of: 'models',
      now: sideOf(now),
      before: sideOf(before),
      perCategory: categoryDifferences(now.evaluation, before.evaluation),
      sameImages: now.metrics?.test.hash === before.metrics?.test.hash,
      scored: images?.scored ?? null,
      withoutEvidence: images?.why ?? null,
      withoutImages: images ? images.why : 'Without an evaluation of both there are no test images.',
    },
    names: images?.names ?? now.categories.map(({ name }) => name),
    relations: RELATIONS,
    images: images?.shown ?? [],
  };
}

const nameOf = ({ model, subject }: ModelParts): string => model ?? subject;

/** mAP and F1@K by group, with their intervals. */
function sideOf(parts: ModelParts): object {
  const { metrics } = parts;
  const candidate = metrics?.systems.candidate;
  if (!metrics || !candidate)
    throw new Failure('Report.NoFigures', `No evaluation of ${nameOf(parts)} is known here.`, {
      subject: parts.subject,
      hint: 'Compare the folders of two evaluations, or name them with --evaluation and --against-evaluation.',
    });
  const shown = ['mAP', ...metrics.topK.map((k) => `F1@${k}`)];
  return {
    name: nameOf(parts),
    evaluation: parts.evaluation?.output.uri ?? null,
    test: metrics.test,
    images: metrics.images,
    groups: Object.fromEntries(
      GROUPS.flatMap((group) => {
        const figures = candidate.groups[group]?.figures;
        return figures
          ? [
              [
                group,
                Object.fromEntries(shown.flatMap((name) => (figures[name] ? [[name, figures[name]]] : []))),
              ],
            ]
          : [];
      }),
    ),
  };
}

/** Average precision of categories that both have, in percent. */
function categoryDifferences(
  now: EvaluationPart | undefined,
  before: EvaluationPart | undefined,
): object[] | null {
  if (!now || !before) return null;
  const known = new Map(before.perCategory.map((category) => [category.name, category]));
  return now.perCategory.flatMap(({ name, split, positives, ap }) => {
    const from = known.get(name)?.ap.candidate;
    const to = ap.candidate;
    return from && to && positives > 0 ? [{ name, split, positives, from: from.value, to: to.value }] : [];
  });
}

/** Scores the test images that both evaluations have with both models, and shows those that they differ on most. */
async function differingImages(now: EvaluationPart, before: EvaluationPart, options: ReportOptions) {
  const nothing = (why: string | null) => ({ why, scored: null, shown: [], names: undefined });
  const current = await scoredAgain(now, options);
  if (!current.model || !current.images) return nothing(current.why);
  const earlier = await scoredAgain(before, options);
  if (!earlier.model || !earlier.images) return nothing(earlier.why);
  const { model, images } = current;
  const differences = imageDifferences(
    images,
    earlier.images,
    now.categories.length,
    before.categories.length,
  );
  if (differences.length === 0) return nothing('The two evaluations share no test image.');
  const indices = new Map(now.categories.map(({ name }, i) => [name, i]));
  const chosen = mostDiffering(differences, options.images);
  const tagged = testImages(images, model, now.categories, images.rows.length);
  const earlierTags = testImages(
    earlier.images,
    earlier.model,
    before.categories,
    earlier.images.rows.length,
  );
  const shown = await showImages(
    chosen.map(({ at }) => tagged[at]!),
    model,
    DEFAULT_IMAGE_LIMITS,
    options,
  );
  return {
    why: null,
    scored: { images: differences.length, of: images.of },
    names: model.vocabularies[0].nodes,
    shown: shown.map((image, i) => {
      const { before: place, from, to } = chosen[i]!;
      const tags = earlierTags[place]!.tags.flat()
        .slice(0, 8)
        .flatMap(({ name, score }) => {
          const index = indices.get(before.categories[name]!.name);
          return index === undefined ? [] : [{ name: index, score }];
        });
      return { ...image, change: { from, to, tags } };
    }),
  };
}

/** Of images that both have, whose labels give them an average precision. */
function imageDifferences(
  now: ScoredImages,
  before: ScoredImages,
  categories: number,
  categoriesBefore: number,
): ImageDifference[] {
  const places = new Map(before.rows.map(({ uri }, i) => [uri, i]));
  return now.rows.flatMap((row, at) => {
    const place = places.get(row.uri);
    if (place === undefined) return [];
    const to = imagePrecision(row, now.scores.subarray(at * categories, (at + 1) * categories));
    const own = before.scores.subarray(place * categoriesBefore, (place + 1) * categoriesBefore);
    const from = imagePrecision(before.rows[place]!, own);
    return from === undefined || to === undefined ? [] : [{ at, before: place, from, to }];
  });
}

/** Average precision, in percent, of an image's labels among its scores; undefined where none is present. */
function imagePrecision(row: SnapshotRow, scores: Float32Array): number | undefined {
  const labels = labelsOf(row, scores.length);
  const order = [...scores.keys()]
    .filter((c) => labels[c] !== 0)
    .sort((a, b) => scores[b]! - scores[a]! || a - b);
  let hits = 0;
  let sum = 0;
  order.forEach((category, rank) => {
    if (labels[category]! > 0) sum += ++hits / (rank + 1);
  });
  return hits === 0 ? undefined : (100 * sum) / hits;
}

/** Half of them those that gained most, half those that lost most, in turns. */
function mostDiffering(differences: readonly ImageDifference[], limit: number): ImageDifference[] {
  const sorted = [...differences].sort((a, b) => b.to - b.from - (a.to - a.from) || a.at - b.at);
  const gained = sorted.filter(({ from, to }) => to > from);
  const lost = sorted.filter(({ from, to }) => to < from).reverse();
  const chosen: ImageDifference[] = [];
  for (let i = 0; i < Math.max(gained.length, lost.length) && chosen.length < limit; i++)
    for (const side of [gained, lost]) if (side[i] && chosen.length < limit) chosen.push(side[i]!);
  return chosen;
}
