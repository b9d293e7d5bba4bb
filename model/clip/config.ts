import { z } from 'zod';
import { Failure } from '../../data/failure.ts';

/** Activations that CLIP checkpoints use between the two layers of an MLP. */
const activation = z.enum(['quick_gelu', 'gelu']);

/*
 * Defaults are those of transformers' CLIPTextConfig and CLIPVisionConfig: checkpoints on the hub leave out fields
 * that are at their default.
 */
const textSchema = z.object({
  vocab_size: z.int().positive().default(49408),
  hidden_size: z.int().positive().default(512),
  intermediate_size: z.int().positive().default(2048),
  num_hidden_layers: z.int().positive().default(12),
  num_attention_heads: z.int().positive().default(8),
  max_position_embeddings: z.int().positive().default(77),
  hidden_act: activation.default('quick_gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
  eos_token_id: z.int().nullable().default(49407),
});

const visionSchema = z.object({
  hidden_size: z.int().positive().default(768),
  intermediate_size: z.int().positive().default(3072),
  num_hidden_layers: z.int().positive().default(12),
  num_attention_heads: z.int().positive().default(12),
  num_channels: z.literal(3).default(3),
  image_size: z.int().positive().default(224),
  patch_size: z.int().positive().default(32),
  hidden_act: activation.default('quick_gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
});

/** The head's settings in a model folder; a plain CLIP checkpoint has none and gets these defaults. */
export const headSettingsSchema = z.object({
  /** `anchored` (ours), `residual` or `plain` (the paper's equations). */
  form: z.enum(['anchored', 'residual', 'plain']).default('anchored'),
  /** Patches per category: an adaptive number, a fixed one, or none. */
  isr: z.enum(['adaptive', 'fixed', 'off']).default('adaptive'),
  /** How many with `fixed`. */
  patches: z.int().positive().default(8),
  /** Temperature of the softmax over patches. */
  tau: z.number().positive().default(0.1),
  /** Probability that the kept patches of a category must reach, in (0, 1]. */
  alpha: z.number().positive().max(1).default(0.5),
  /** The most patches kept for a category. */
  cap: z.int().positive().default(32),
});

export type HeadSettings = z.infer<typeof headSettingsSchema>;

const configSchema = z.object({
  model_type: z.literal('clip').default('clip'),
  projection_dim: z.int().positive().default(512),
  // transformers also accepts these names of older files
  text_config: textSchema.prefault({}),
  vision_config: visionSchema.prefault({}),
  c2srt: headSettingsSchema.prefault({}),
});

export type ClipConfig = z.infer<typeof configSchema>;
export type TextConfig = ClipConfig['text_config'];
export type VisionConfig = ClipConfig['vision_config'];

/**
 * Reads a Hugging Face CLIP `config.json`.
 * Throws `Model.Unsupported` with the field where it describes something else than a CLIP that this code builds.
 */
export function parseClipConfig(json: unknown, file: string): ClipConfig {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    throw new Failure(
      'Model.Unsupported',
      `${file} does not describe a supported CLIP model: ${z.prettifyError(parsed.error)}`,
      {
        subject: file,
        hint: 'c2srt takes CLIP checkpoints in the Hugging Face layout ("model_type": "clip").',
      },
    );
  }
  const config = parsed.data;
  for (const [part, width, heads] of [
    ['text_config', config.text_config.hidden_size, config.text_config.num_attention_heads],
    ['vision_config', config.vision_config.hidden_size, config.vision_config.num_attention_heads],
  ] as const) {
    if (width % heads !== 0) {
      throw new Failure(
        'Model.Unsupported',
        `${file}: ${part}.hidden_size ${width} is not a multiple of its ${heads} heads.`,
        { subject: file },
      );
    }
  }
  return config;
}

/** Patches per image: the square of how many patches fit a side. */
export function patchCount({ image_size, patch_size }: VisionConfig): number {
  return Math.floor(image_size / patch_size) ** 2;
}
