/**
 * The `train` section of the configuration file: everything that decides what a training comes to, apart from its data,
 * categories, graph and starting model. docs/configuration.md is made from it.
 */
import { z } from 'zod';

const count = z.coerce.number().int().positive();
const rate = z.coerce.number().positive();

/** How a training is optimised and cut into rounds; `train` and `pretrain` have these in common. */
const optimisation = {
  batchSize: count.default(64).describe('Images per step.'),
  epochs: count.default(3).describe('Passes over the images.'),
  seed: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe('Of the order of images, the first parameters and what is sampled.'),
  warmupSteps: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(30)
    .describe('Steps in which the learning rates rise from 0.'),
  schedule: z
    .enum(['cosine', 'constant'])
    .default('cosine')
    .describe('Of the learning rates after the warm-up; cosine ends at 0.'),
  weightDecay: z.coerce.number().min(0).default(0.01).describe("AdamW's decoupled weight decay."),
  withoutDecay: z
    .array(z.string())
    .default([])
    .describe('Parameters whose name contains one of these do not decay.'),
  beta1: z.coerce.number().min(0).lt(1).default(0.9).describe("AdamW's decay of the first moment."),
  beta2: z.coerce.number().min(0).lt(1).default(0.999).describe("AdamW's decay of the second moment."),
  epsilon: rate.default(1e-8).describe("AdamW's term that keeps the division finite."),
  clipNorm: rate
    .optional()
    .describe("Limit of the gradients' global norm. Default: gradients are taken as they are."),
  shards: count.default(1).describe('Slices of the images that are trained on side by side.'),
  localSteps: count.default(50).describe('Steps of each shard in a round, at whose end shards are merged.'),
  outerStep: rate.default(1).describe('Step of the merge along the mean change of the shards.'),
  outerMomentum: z.coerce
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('Nesterov momentum of the merge; with step 1 and momentum 0 the shards are averaged.'),
  validateEvery: count.default(1).describe('Rounds between validations; the last round is always validated.'),
  patience: count
    .optional()
    .describe('Validations without improvement after which training stops. Default: it never stops early.'),
  validationShare: z.coerce
    .number()
    .min(0)
    .max(0.5)
    .default(0.05)
    .describe('Share of the images that is held back for validation where no validation data is given.'),
  maxFailureRate: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Share of images, in [0, 1], that may be unreadable; with more, training stops.'),
  validationLimit: count.default(5000).describe('The most images that a validation takes.'),
  precision: z
    .enum(['float32', 'float16'])
    .default('float32')
    .describe("Of the trained weights in the model's file; they are trained in float32."),
} as const;

export const trainSettingsSchema = z.strictObject({
  form: z
    .enum(['anchored', 'residual', 'plain'])
    .default('anchored')
    .describe("Form of the head: anchored (ours), residual, or plain (the paper's equations)."),
  isr: z
    .enum(['adaptive', 'fixed', 'off'])
    .default('adaptive')
    .describe('Patches per category: an adaptive number, the `patches` most similar ones, or none.'),
  patches: count.default(8).describe('Patches per category with `isr: fixed`.'),
  tau: rate.default(0.1).describe('Temperature of the softmax over patches.'),
  alpha: rate.max(1).default(0.5).describe('Probability that the kept patches reach, in (0, 1].'),
  cap: count.default(32).describe('The most patches kept for a category.'),
  ist: z.boolean().default(true).describe('Whether categories inform each other over the graph.'),
  layers: count.default(2).describe('Layers of the graph network.'),
  heads: count.default(4).describe('Attention heads of each; they divide the joint dimension.'),
  hidden: count
    .optional()
    .describe('Width of the fusion FFN (forms residual and plain). Default: the joint dimension.'),
  trainedBlocks: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(1)
    .describe(
      'Last blocks of the vision encoder that are trained, besides its last layer norm, its projection and the head.',
    ),
  encoderRate: z.coerce
    .number()
    .min(0)
    .default(3e-4)
    .describe('Highest learning rate of the encoder; 0: it stays as it is.'),
  headRate: rate.default(1e-3).describe('Highest learning rate of the head.'),
  margin: rate.default(1).describe('Margin of the ranking loss.'),
  scale: rate.default(10).describe('Multiplies the scores in the ranking loss.'),
  distillation: z.coerce
    .number()
    .min(0)
    .default(0.1)
    .describe('Weight of the distillation to the frozen encoder; 0: none.'),
  maxCategories: count
    .default(1024)
    .describe(
      'Categories of a step. Of a larger vocabulary each step takes those present, sampled ones and their neighbours.',
    ),
  microBatch: count
    .optional()
    .describe('Images whose gradients are computed at once. Default: what keeps a step below 3 GiB.'),
  cache: z
    .enum(['auto', 'always', 'none'])
    .default('auto')
    .describe('Whether what the frozen blocks make of the images is kept; auto: up to `cacheLimitGiB`.'),
  cacheLimitGiB: rate.default(20).describe('The largest cache that `cache: auto` makes, in GiB.'),
  validationScore: z
    .enum(['seen', 'unseen', 'all'])
    .default('seen')
    .describe(
      'Categories whose mAP decides which round is best; unseen ones decide honestly only where they are not the ones reported on.',
    ),
  unlisted: z
    .enum(['absent', 'unknown'])
    .default('absent')
    .describe('What a category is that an image does not list: absent, or unknown and left out.'),
  ...optimisation,
});

export type TrainSettings = z.infer<typeof trainSettingsSchema>;

export const pretrainSettingsSchema = z.strictObject({
  ...optimisation,
  rate: rate.default(1e-3).describe('Highest learning rate.'),
  weightDecay: optimisation.weightDecay.default(0.1).describe("AdamW's decoupled weight decay."),
  withoutDecay: optimisation.withoutDecay
    .default(['bias', 'norm', 'logit_scale'])
    .describe('Parameters whose name contains one of these do not decay.'),
  localWeight: z.coerce
    .number()
    .min(0)
    .default(0.5)
    .describe('Weight of the local term: patches that a mention attends to against that mention.'),
  localTemperature: rate.default(0.1).describe("Temperature of a mention's attention over patches."),
  patchShare: z.coerce
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe('Share of the patches that a step sees; those left out differ from step to step.'),
  wholeImagesFrom: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('Share of the steps after which steps see all patches.'),
});

export type PretrainSettings = z.infer<typeof pretrainSettingsSchema>;
