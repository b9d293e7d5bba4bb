import { z } from 'zod';
import { Failure } from '../failure.ts';
import { SUCCESS } from '../run/layout.ts';
import { readJson } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { failedImagesSchema } from '../training/failedImages.ts';
import { METRICS } from './evaluateLayout.ts';
import { GROUPS, SYSTEMS } from './systems.ts';

/** A figure, or a difference of two, with the ends of its bootstrap interval; percent, or points. */
const intervalSchema = z.object({ value: z.number(), low: z.number(), high: z.number() });
export type Interval = z.infer<typeof intervalSchema>;

/** By name: `mAP`, `mAPOverCategoriesWithPositives`, and `F1@K`, `precision@K`, `recall@K` for each K. */
const figuresSchema = z.record(z.string(), intervalSchema);
export type FigureIntervals = z.infer<typeof figuresSchema>;

const groupSchema = z.object({
  categories: z.int(),
  categoriesWithPositives: z.int(),
  figures: figuresSchema,
  /** F1@K and its parts by the other protocol for images without a positive. */
  otherProtocol: figuresSchema,
});

/** Tags by calibrated score and threshold, against the labels of the test images; percent. */
const taggingSchema = z.object({
  precision: z.number(),
  recall: z.number(),
  f1: z.number(),
  /** Expected calibration error: the mean distance of a calibrated score from the share of positives, in [0, 1]. */
  ece: z.number(),
  /** Bins of calibrated scores: pairs in it, their mean score and share of positives, in [0, 1]. Empty bins are left out. */
  reliability: z.array(
    z.object({ from: z.number(), to: z.number(), pairs: z.int(), score: z.number(), positives: z.number() }),
  ),
});
export type TaggingFigures = z.infer<typeof taggingSchema>;

const snapshotSchema = z.object({
  /** As the specification gives it. */
  uri: z.string(),
  hash: z.string(),
  images: z.int(),
});

/** `metrics.json` of an evaluation, which goes with the model when it is published. */
export const evaluationMetricsSchema = z.object({
  version: z.literal(1),
  test: snapshotSchema,
  validation: snapshotSchema.nullable(),
  /** Images that figures are of, and those that could not be read. */
  images: z.int(),
  failed: failedImagesSchema.extend({ images: z.int() }),
  topK: z.array(z.int()),
  withoutPositives: z.enum(['kept', 'dropped']),
  bootstrap: z.object({ resamples: z.int(), confidence: z.number(), seed: z.int() }),
  systems: z.partialRecord(
    z.enum(SYSTEMS),
    z.object({
      /** URI and hash of the model folder. */
      model: z.string(),
      hash: z.string(),
      groups: z.partialRecord(z.enum(GROUPS), groupSchema),
    }),
  ),
  /** Candidate minus each other system, on the same resamples; points. */
  differences: z.partialRecord(z.enum(SYSTEMS), z.partialRecord(z.enum(GROUPS), figuresSchema)),
  /** Of the candidate; null where no calibration was fitted, and why. */
  calibration: z
    .object({
      /** Categories with a threshold of their own. */
      ownThresholds: z.int(),
      fallbackThreshold: z.number(),
      groups: z.partialRecord(z.enum(GROUPS), taggingSchema),
    })
    .nullable(),
  withoutCalibration: z.string().nullable(),
});

export type EvaluationMetrics = z.infer<typeof evaluationMetricsSchema>;

/** The figures of a finished evaluation. Throws `Run.Unfinished`, `Run.Invalid`. */
export async function readEvaluation(output: ObjectStore): Promise<EvaluationMetrics> {
  const subject = output.describeKey(METRICS);
  if (!(await output.head(SUCCESS)))
    throw new Failure('Run.Unfinished', `${output.uri} is not a finished evaluation.`, {
      subject,
      hint: `\`c2srt status ${output.uri}\` says where it is; \`c2srt resume ${output.uri}\` goes on with it.`,
    });
  const { success, data, error } = evaluationMetricsSchema.safeParse(await readJson(output, METRICS));
  if (success) return data;
  throw new Failure(
    'Run.Invalid',
    `${subject} is not the metrics of an evaluation: ${z.prettifyError(error)}`,
    {
      subject,
    },
  );
}
