/**
 * The `retrain` section of the configuration file: what a retraining pipeline is of. How it trains, evaluates and judges
 * stands in the sections of those. docs/configuration.md is made from it.
 */
import { z } from 'zod';

const flag = z.preprocess(
  (given) => (given === 'true' ? true : given === 'false' ? false : given),
  z.boolean(),
);

export const retrainSettingsSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be up to 40 small letters, digits and dashes')
    .default('model')
    .describe('Names the model: versions are published below `models/` and this, in the store.'),
  store: z
    .string()
    .optional()
    .describe(
      "Folder or s3:// URI of the pipeline's artifacts, models and runs. Needed to retrain. Default: none.",
    ),
  data: z
    .string()
    .optional()
    .describe('Manifest of the images to train on. Needed to retrain. Default: none.'),
  validation: z
    .string()
    .optional()
    .describe(
      'Manifest of the images held back, for early stopping and calibration. Default: a share of `data`, `train.validationShare`.',
    ),
  test: z
    .string()
    .optional()
    .describe(
      'Manifest of the images that the candidate and the model in production are compared on. Default: the images held back, on which then nothing is calibrated.',
    ),
  categories: z
    .string()
    .optional()
    .describe('Categories file, with seen and unseen ones. Needed to retrain. Default: none.'),
  startFrom: z
    .enum(['model', 'production'])
    .default('model')
    .describe(
      'What training starts from: the setting `model`, or the model in production where there is one.',
    ),
  alias: z.string().default('production').describe('Alias that a candidate which passes the gate is given.'),
  approval: flag
    .default(false)
    .describe('Whether a person must approve a candidate that has passed the gate (`c2srt approve`).'),
  approvalTimeoutHours: z.coerce
    .number()
    .positive()
    .default(72)
    .describe('Hours after which a candidate that nobody has approved is rejected.'),
  tagSource: z
    .string()
    .optional()
    .describe('Folder or s3:// URI of images that a new model tags once it is published. Default: none.'),
  tagCategories: z
    .string()
    .optional()
    .describe('Categories file that they are tagged with. Default: that of the training.'),
  tagOut: z
    .string()
    .optional()
    .describe('Below it each such tag run gets a folder. Default: `tags/` in the store.'),
  gpuHourUsd: z.coerce
    .number()
    .min(0)
    .default(0)
    .describe('What an hour of a GPU worker costs, in US dollars, for the estimate of `--dry-run`.'),
});

export type RetrainSettings = z.infer<typeof retrainSettingsSchema>;
