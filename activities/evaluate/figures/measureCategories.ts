import { isSeen, type Category } from '../../../data/categories.ts';
import type { EvaluateSpec } from '../../../data/evaluation/evaluateSpec.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { applyCalibration, type Calibration } from '../../../model/calibration.ts';
import {
  addSums,
  addTagging,
  noTagging,
  type TaggingSums,
} from '../../../model/evaluation/calibration/reliability.ts';
import { RankedPrecision } from '../../../model/evaluation/rankedPrecision.ts';
import { thresholdOf } from '../../../model/tagDecision.ts';
import { breather } from './breather.ts';
import { readFitted } from './fitCalibration.ts';
import { openLabelledScores } from './labelledScores.ts';
import { readMeasuresIfThere, writeMeasures, type CategoryMeasures, type Influences } from './measures.ts';
import { requirePrepared, stripeRange } from '../prepare/prepared.ts';

export interface MeasureOptions {
  output: ObjectStore;
  spec: EvaluateSpec;
  categories: readonly Category[];
  stripe: number;
  openStore(uri: string): ObjectStore;
  signal: AbortSignal;
  /** Told how many columns, categories of a system, were looked at. */
  report(columns: number): void;
}

/** Computes the figures of a range of categories for every system, unless they are there. */
export async function measureCategories(options: MeasureOptions): Promise<void> {
  const { output, spec, categories, stripe, openStore, signal, report } = options;
  if (await readMeasuresIfThere(output, stripe)) return;
  const { scorers } = await requirePrepared(output);
  const fitted = await readFitted(output);
  const { scored, labels, eachCategory } = await openLabelledScores(output, spec, 'test', categories.length, {
    openStore,
    signal,
  });
  const { from, to } = stripeRange(stripe, categories.length);
  const ranked = new RankedPrecision(scored.images);
  const breathe = breather(signal);
  const own = Array.from({ length: to - from }, (_, i): CategoryMeasures => ({
    known: 0,
    positives: labels.positives[from + i]!,
    systems: {},
    tagging: null,
  }));
  const tagging = fitted?.calibration
    ? new Tagging(fitted.calibration, spec.settings.reliabilityBins, scored.images)
    : undefined;
  const influences: Influences = new Map();
  let looked = 0;
  for (const system of scorers.flatMap(({ systems }) => systems)) {
    const sums = [new Float64Array(scored.images), new Float64Array(scored.images)] as const;
    await eachCategory(system, from, to, async (category, scores, column) => {
      const asked = categories[category]!;
      const measured = own[category - from]!;
      const { ap, variance, known } = ranked.measure(scores, column, sums[isSeen(asked) ? 0 : 1]);
      measured.known = known;
      measured.systems[system] = { ap, variance };
      if (system === 'candidate' && tagging) measured.tagging = tagging.add(asked, scores, column);
      report(++looked);
      await breathe();
    });
    const both = new Float32Array(2 * scored.images);
    sums.forEach((sum, i) => both.set(sum, i * scored.images));
    influences.set(system, both);
  }
  await writeMeasures(
    output,
    stripe,
    { categories: own, tagging: tagging ? { seen: tagging.seen, unseen: tagging.unseen } : null },
    influences,
  );
}

/** How the candidate's calibrated scores and thresholds, fitted elsewhere, do on these images. */
class Tagging {
  readonly seen: TaggingSums;
  readonly unseen: TaggingSums;
  private readonly calibration: Calibration;
  private readonly calibrated: Float32Array;
  private readonly bins: number;

  constructor(calibration: Calibration, bins: number, images: number) {
    this.calibration = calibration;
    this.bins = bins;
    this.calibrated = new Float32Array(images);
    this.seen = noTagging(bins);
    this.unseen = noTagging(bins);
  }

  /** Right tags and tags of a category. */
  add(category: Category, scores: Float32Array, labels: Int8Array): { hits: number; tags: number } {
    const { calibration, calibrated, bins } = this;
    for (let i = 0; i < scores.length; i++) calibrated[i] = applyCalibration(scores[i]!, calibration);
    const sums = noTagging(bins);
    addTagging(sums, calibrated, labels, thresholdOf(calibration, category.name));
    addSums(isSeen(category) ? this.seen : this.unseen, sums);
    return { hits: sums.hits, tags: sums.tags };
  }
}
