import { z } from 'zod';
import type { Category } from '../../../data/categories.ts';
import { CALIBRATION, FITTED } from '../../../data/evaluation/evaluateLayout.ts';
import type { EvaluateSpec } from '../../../data/evaluation/evaluateSpec.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { parseCalibration, type Calibration } from '../../../model/calibration.ts';
import { fitIsotonic } from '../../../model/evaluation/calibration/isotonicFit.ts';
import { fitLogistic } from '../../../model/evaluation/calibration/logisticFit.ts';
import { addScores, emptyHistogram } from '../../../model/evaluation/calibration/scoreHistogram.ts';
import {
  bestThreshold,
  sharedThreshold,
  type CalibrationMap,
} from '../../../model/evaluation/calibration/thresholds.ts';
import { breather } from './breather.ts';
import { openLabelledScores, type LabelledScores } from './labelledScores.ts';

/** Written when the calibration is there, or it is clear that there is none, and why. */
const fittedSchema = z.object({ why: z.string().nullable() });

export interface FitOptions {
  output: ObjectStore;
  spec: EvaluateSpec;
  categories: readonly Category[];
  openStore(uri: string): ObjectStore;
  signal: AbortSignal;
  /** Told how many categories were looked at. */
  report(categories: number): void;
}

/**
 * Fits the candidate's calibration on the validation images, which no figure is of, and writes `calibration.json`.
 *
 * Categories without a positive among them have no part in the map and the shared threshold: a closed list of labels calls
 * them absent everywhere, whatever the images show.
 */
export async function fitCalibration(options: FitOptions): Promise<void> {
  const { output, spec, categories, openStore, signal } = options;
  if ((await readFitted(output)) !== undefined) return;
  const { calibration: method } = spec.settings;
  const none = (why: string) => putFitted(output, why);
  if (method === 'none') return none('evaluate.calibration is none');
  if (spec.validation === null) return none('no validation images were given');
  const scores = await openLabelledScores(output, spec, 'validation', categories.length, {
    openStore,
    signal,
  });
  const calibration = await fit(scores, method, options);
  if (!calibration) return none('the validation images have no present, or no absent, category');
  await output.put(CALIBRATION, JSON.stringify(calibration, null, 1), { contentType: 'application/json' });
  await putFitted(output, null);
}

async function fit(
  { labels, eachCategory }: LabelledScores,
  method: 'logistic' | 'isotonic',
  { spec, categories, signal, report }: FitOptions,
): Promise<Calibration | undefined> {
  const breathe = breather(signal);
  let looked = 0;
  const count = async (): Promise<void> => {
    report(++looked);
    await breathe();
  };
  const histogram = emptyHistogram();
  await eachCategory('candidate', 0, categories.length, async (category, scores, own) => {
    if (labels.positives[category]! > 0) addScores(histogram, scores, own);
    await count();
  });
  const logistic = fitLogistic(histogram);
  if (!logistic) return undefined;
  const map: CalibrationMap =
    method === 'isotonic' ? { ...logistic, knots: fitIsotonic(histogram, logistic) } : logistic;
  const thresholds: [string, number][] = [];
  await eachCategory('candidate', 0, categories.length, async (category, scores, own) => {
    if (labels.positives[category]! >= spec.settings.minPositives)
      thresholds.push([categories[category]!.name, bestThreshold(scores, own, map)!]);
    await count();
  });
  return {
    version: 1,
    ...map,
    thresholds: Object.fromEntries(thresholds),
    fallbackThreshold: sharedThreshold(histogram, map),
  };
}

/** What came of the fit: a calibration or why there is none; undefined before it. */
export async function readFitted(
  output: ObjectStore,
): Promise<{ calibration: Calibration } | { calibration: null; why: string } | undefined> {
  const fitted = fittedSchema.optional().parse(await readJsonIfThere(output, FITTED));
  if (!fitted) return undefined;
  if (fitted.why !== null) return { calibration: null, why: fitted.why };
  const { body } = await output.get(CALIBRATION);
  return {
    calibration: parseCalibration(Buffer.from(body).toString(), output.describeKey(CALIBRATION)),
  };
}

async function putFitted(output: ObjectStore, why: string | null): Promise<void> {
  await output.put(FITTED, JSON.stringify({ why }), { contentType: 'application/json' });
}
