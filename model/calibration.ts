import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Failure, messageOf } from '../data/failure.ts';
import { CALIBRATION } from '../data/models/modelFiles.ts';

/** In [0, 1]: a threshold or a calibrated score. */
const Probability = z.number().min(0).max(1);

/**
 * `calibration.json` of a model: one monotone map from raw scores to [0, 1], and thresholds on what it gives.
 *
 * The map is logistic, `1 / (1 + exp(-(slope * score + intercept)))` (Platt); where `knots` are given, its result goes
 * through the line that joins them (isotonic), level outside the first and the last.
 */
export const CalibrationFile = z.object({
  version: z.literal(1),
  /** Above 0, so that a higher raw score is never a lower calibrated one. */
  slope: z.number().gt(0),
  intercept: z.number(),
  /** [logistic value, calibrated score]: the first rising, the second not falling. */
  knots: z
    .array(z.tuple([Probability, Probability]))
    .min(1)
    .refine(
      (knots) => knots.every(([x, y], i) => i === 0 || (knots[i - 1]![0] < x && knots[i - 1]![1] <= y)),
      {
        message: 'must rise',
      },
    )
    .optional(),
  /** The lowest calibrated score that makes a tag, inclusive, by category name. */
  thresholds: z.record(z.string(), Probability),
  /** For categories that are not among `thresholds`. */
  fallbackThreshold: Probability,
});

export type Calibration = z.infer<typeof CalibrationFile>;

/**
 * Reads `calibration.json`.
 *
 * @param fileName for messages.
 * @throws Failure `Model.Calibration`
 */
export function parseCalibration(text: string, fileName: string): Calibration {
  const fail = (reason: string, cause?: unknown): Failure =>
    new Failure('Model.Calibration', `${fileName} is not a calibration: ${reason}.`, {
      subject: fileName,
      hint: 'Evaluate the model again to write a new one, or remove the file to tag by raw score.',
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail(messageOf(error), error);
  }
  const { success, data, error } = CalibrationFile.safeParse(value);
  if (!success)
    throw fail(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  return data;
}

/** The calibration of the model in a folder; undefined where it has none. Throws as {@link parseCalibration}. */
export function readCalibration(dir: string): Calibration | undefined {
  const file = join(dir, CALIBRATION);
  return existsSync(file) ? parseCalibration(readFileSync(file, 'utf8'), file) : undefined;
}

/**
 * The score to write for a raw score: a float32 in [0, 1] that never falls as the raw score rises.
 *
 * @param score not NaN; infinities are allowed.
 */
export function applyCalibration(score: number, calibration: Calibration): number {
  const { slope, intercept, knots } = calibration;
  const logistic = 1 / (1 + Math.exp(-(slope * score + intercept)));
  return Math.fround(knots === undefined ? logistic : interpolate(logistic, knots));
}

function interpolate(x: number, knots: readonly (readonly [number, number])[]): number {
  let low = 0;
  let high = knots.length - 1;
  if (x <= knots[low]![0]) return knots[low]![1];
  if (x >= knots[high]![0]) return knots[high]![1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle]![0] <= x) low = middle;
    else high = middle;
  }
  const [x0, y0] = knots[low]!;
  const [x1, y1] = knots[high]!;
  // Rounding may carry the product a little past the knot, where the next piece would start lower.
  return Math.min(y1, y0 + (y1 - y0) * ((x - x0) / (x1 - x0)));
}
