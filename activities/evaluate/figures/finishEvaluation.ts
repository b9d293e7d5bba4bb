import { isSeen, type Category } from '../../../data/categories.ts';
import { METRICS, PER_CATEGORY, REPORT, SCORES } from '../../../data/evaluation/evaluateLayout.ts';
import { requireIndex, snapshotPlace } from '../../../data/evaluation/evaluationSnapshots.ts';
import type { EvaluationMetrics } from '../../../data/evaluation/metricsFile.ts';
import type { CategoryFigures } from '../../../data/evaluation/perCategoryFile.ts';
import { readScoredImages } from '../../../data/evaluation/scoreParts.ts';
import type { EvaluationSnapshot, Group, System } from '../../../data/evaluation/systems.ts';
import { MANIFEST, SUCCESS } from '../../../data/run/layout.ts';
import type { EvaluateRecord } from '../../../data/run/record.ts';
import { deletePrefix } from '../../../data/store/deletePrefix.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { summariseFailed } from '../../../data/training/failedImages.ts';
import type { Calibration } from '../../../model/calibration.ts';
import { addSums, noTagging, taggingFigures } from '../../../model/evaluation/calibration/reliability.ts';
import { figuresOf, type Figures } from '../../../model/evaluation/figures.ts';
import { thresholdOf } from '../../../model/tagDecision.ts';
import type { EvaluateResult } from '../../../workflows/evaluate/evaluateTypes.ts';
import { breather } from './breather.ts';
import { readFitted } from './fitCalibration.ts';
import { readMeasures, type CategoryMeasures, type Measures } from './measures.ts';
import { requirePrepared, shardsOf } from '../prepare/prepared.ts';
import { reportPage } from './report.ts';
import { readWholeData } from './wholeData.ts';

export interface FinishOptions {
  output: ObjectStore;
  record: EvaluateRecord;
  categories: readonly Category[];
  openStore(uri: string): ObjectStore;
  signal: AbortSignal;
  report(): void;
}

/** Puts the figures together with their intervals and writes them; then the scores go, and last `_SUCCESS` comes. */
export async function finishEvaluation(options: FinishOptions): Promise<EvaluateResult> {
  const { output, report } = options;
  const known = (await readJsonIfThere(output, MANIFEST)) as { result: EvaluateResult } | undefined;
  const result = known?.result ?? (await writeFigures(options));
  await deletePrefix(output, SCORES, report);
  await output.put(SUCCESS, '');
  return result;
}

async function writeFigures(options: FinishOptions): Promise<EvaluateResult> {
  const { output, record, categories, signal } = options;
  const { settings } = record.spec;
  const { topK, withoutPositives, resamples, confidence, seed } = settings;
  const { plan, scorers } = await requirePrepared(output);
  const scored = await readScoredImages(output, 'test', shardsOf(plan, 'test'));
  const stripes: Measures[] = [];
  for (let stripe = 0; stripe < plan.stripes; stripe++) stripes.push(await readMeasures(output, stripe));
  const measures = stripes.flatMap((stripe) => stripe.categories);
  const systems = scorers.flatMap((scorer) => scorer.systems);
  const { groups, data } = await readWholeData(output, {
    ...{ scored, categories, measures, systems, topK, stripes: plan.stripes },
  });
  const figures = await figuresOf(groups, data, {
    ...{ images: scored.images, topK, withoutPositives, resamples, confidence, seed },
    breathe: breather(signal),
  });

  const fitted = await readFitted(output);
  const calibration = fitted?.calibration ?? null;
  const metrics: EvaluationMetrics = {
    version: 1,
    test: (await snapshotOf(options, 'test'))!,
    validation: await snapshotOf(options, 'validation'),
    images: scored.images,
    failed: { images: scored.failed.length, ...summariseFailed(scored.failed) },
    topK,
    withoutPositives,
    bootstrap: { resamples, confidence, seed },
    systems: Object.fromEntries(
      scorers.flatMap(({ systems: own, model, hash }) =>
        own.map((system) => [system, { model, hash, groups: groupsOf(figures, system, groups) }]),
      ),
    ),
    differences: Object.fromEntries(
      [...figures.differences].map(([system, byGroup]) => [system, Object.fromEntries(byGroup)]),
    ),
    calibration: calibration && calibrationFigures(calibration, stripes, settings.reliabilityBins, groups),
    withoutCalibration: fitted && fitted.calibration === null ? fitted.why : null,
  };
  const { images, failed } = metrics;
  const result: EvaluateResult = {
    ...{ images, failed: failed.images, calibrated: calibration !== null },
    systems: shownFigures(metrics),
  };
  const perCategory = categories.map((category, c) => categoryFigures(category, measures[c]!, calibration));
  const lines = perCategory.map((category) => JSON.stringify(category));
  await output.put(PER_CATEGORY, `[\n${lines.join(',\n')}\n]\n`, { contentType: 'application/json' });
  await output.put(REPORT, reportPage(record, metrics, perCategory), { contentType: 'text/markdown' });
  await putJson(output, METRICS, metrics);
  const { receipts } = scored;
  await putJson(output, MANIFEST, {
    version: 1,
    run: record.id,
    spec: record.spec,
    fingerprints: [
      ...new Map(receipts.map(({ fingerprint }) => [JSON.stringify(fingerprint), fingerprint])).values(),
    ],
    result,
  });
  return result;
}

async function snapshotOf(
  { output, record, openStore }: FinishOptions,
  name: EvaluationSnapshot,
): Promise<EvaluationMetrics['validation']> {
  const place = snapshotPlace(output, record.spec, name, openStore);
  if (!place) return null;
  const { hash, images } = await requireIndex(place);
  return { uri: record.spec[name]!, hash, images };
}

function groupsOf(
  { systems }: Figures,
  system: System,
  groups: readonly { name: Group; categories: number; categoriesWithPositives: number }[],
): NonNullable<EvaluationMetrics['systems'][System]>['groups'] {
  const own = systems.get(system)!;
  return Object.fromEntries(
    groups.map(({ name, categories, categoriesWithPositives }) => [
      name,
      { categories, categoriesWithPositives, ...own.get(name)! },
    ]),
  );
}

/** mAP and F1@K: what tables show. */
function shownFigures({ systems, topK }: EvaluationMetrics): EvaluateResult['systems'] {
  const names = ['mAP', ...topK.map((k) => `F1@${k}`)];
  return Object.fromEntries(
    Object.entries(systems).map(([system, { groups }]) => [
      system,
      Object.fromEntries(
        Object.entries(groups).map(([group, { figures }]) => [
          group,
          Object.fromEntries(names.map((name) => [name, figures[name]!])),
        ]),
      ),
    ]),
  );
}

/** How the calibration, fitted on the validation images, does on the test images. */
function calibrationFigures(
  { thresholds, fallbackThreshold }: Calibration,
  stripes: readonly Measures[],
  bins: number,
  groups: readonly { name: Group }[],
): EvaluationMetrics['calibration'] {
  const sums = { seen: noTagging(bins), unseen: noTagging(bins), all: noTagging(bins) };
  for (const { tagging } of stripes)
    for (const split of ['seen', 'unseen'] as const) {
      addSums(sums[split], tagging![split]);
      addSums(sums.all, tagging![split]);
    }
  return {
    ownThresholds: Object.keys(thresholds).length,
    fallbackThreshold,
    groups: Object.fromEntries(groups.map(({ name }) => [name, taggingFigures(sums[name])])),
  };
}

function categoryFigures(
  category: Category,
  { known, positives, systems, tagging }: CategoryMeasures,
  calibration: Calibration | null,
): CategoryFigures {
  const share = (part: number, whole: number) => (whole === 0 ? null : (100 * part) / whole);
  return {
    name: category.name,
    split: isSeen(category) ? 'seen' : 'unseen',
    known,
    positives,
    ap: Object.fromEntries(
      Object.entries(systems).map(([system, { ap, variance }]) => [
        system,
        { value: 100 * ap, error: 100 * Math.sqrt(variance) },
      ]),
    ),
    tagging: tagging &&
      calibration && {
        threshold: thresholdOf(calibration, category.name),
        precision: share(tagging.hits, tagging.tags),
        recall: share(tagging.hits, positives),
      },
  };
}

async function putJson(output: ObjectStore, key: string, value: unknown): Promise<void> {
  await output.put(key, JSON.stringify(value, null, 1), { contentType: 'application/json' });
}
