/**
 * The `evaluate` and `gate` sections of the configuration file: everything that decides an evaluation's figures, apart
 * from its models and data, and what a candidate must reach. docs/configuration.md is made from it.
 */
import { z } from 'zod';
import { BASELINES, GROUPS } from '../evaluation/systems.ts';

const count = z.coerce.number().int().positive();

export const evaluateSettingsSchema = z.strictObject({
  topK: z.array(count).min(1).default([3, 5]).describe('Values of K for F1@K.'),
  withoutPositives: z
    .enum(['kept', 'dropped'])
    .default('kept')
    .describe(
      'Images without a positive label, for F1@K: kept, as the public MKT and BiAM code does, or dropped, as QKS does. The gate goes by this; figures of the other protocol are reported beside it.',
    ),
  unlisted: z
    .enum(['absent', 'unknown'])
    .default('absent')
    .describe('What a category is that an image does not list: absent, or unknown and left out.'),
  baselines: z
    .preprocess((given) => (given === 'true' ? true : given === 'false' ? false : given), z.boolean())
    .default(true)
    .describe(
      'Whether CLIP zero-shot, training-free CLIP + ISR and fixed-k patch matching are evaluated on the same images.',
    ),
  patches: count.default(8).describe('Patches per category of fixed-k patch matching.'),
  resamples: count
    .max(100_000)
    .default(1000)
    .describe('Bootstrap samples of the images, for intervals and paired differences.'),
  confidence: z.coerce
    .number()
    .gt(0)
    .lt(1)
    .default(0.95)
    .describe('Share of bootstrap samples within an interval, half of the rest on each side.'),
  seed: z.coerce.number().int().nonnegative().default(0).describe('Of the bootstrap samples.'),
  calibration: z
    .enum(['logistic', 'isotonic', 'none'])
    .default('logistic')
    .describe(
      'The map from scores to [0, 1], fitted on the validation images: a logistic curve, that curve corrected by isotonic regression, or none.',
    ),
  minPositives: count
    .default(10)
    .describe('Validation images that a category must be present in to get a threshold of its own.'),
  reliabilityBins: count.max(1000).default(15).describe('Equal bins of [0, 1] for the calibration error.'),
  shardSize: count.max(65_536).default(512).describe('Images that one activity scores.'),
  maxFailureRate: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Share of images, in [0, 1], that may be unreadable; with more, the evaluation fails.'),
});

export type EvaluateSettings = z.infer<typeof evaluateSettingsSchema>;

/** One thing that a candidate must reach. */
export const gateRuleSchema = z.strictObject({
  metric: z
    .string()
    .regex(/^(mAP|F1@[1-9]\d*)$/, 'expected mAP or F1@K')
    .describe('mAP or F1@K, with a K of `evaluate.topK`.'),
  categories: z.enum(GROUPS).default('all').describe('Categories that are scored.'),
  against: z
    .union([z.enum(['production', ...BASELINES]), z.number()], {
      error: `expected ${['production', ...BASELINES].join(', ')} or a number`,
    })
    .default('production')
    .describe('The system to compare with, or a number that the figure must reach, in percent.'),
  tolerance: z.number().min(0).default(0).describe('Points by which the candidate may be below.'),
  test: z
    .enum(['paired-bootstrap', 'difference'])
    .default('paired-bootstrap')
    .describe(
      'What must not be below: with paired-bootstrap the lower end of the interval, with difference the figure itself.',
    ),
});

export type GateRule = z.infer<typeof gateRuleSchema>;

const DEFAULT_RULES = (['unseen', 'all'] as const).map((categories): GateRule => ({
  metric: 'mAP',
  categories,
  against: 'production',
  tolerance: 0.5,
  test: 'paired-bootstrap',
}));

export const gateSettingsSchema = z.strictObject({
  rules: z
    .array(gateRuleSchema)
    .default(DEFAULT_RULES)
    .describe(
      'What a candidate must reach to be published: a list of rules (docs/evaluation.md). Default: mAP of the unseen and of all categories not below production by more than 0.5 points, by paired bootstrap.',
    ),
});

export type GateSettings = z.infer<typeof gateSettingsSchema>;
