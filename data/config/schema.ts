/**
 * Settings: flags > environment > c2srt.yaml > the default here. This schema is the one place that says what each
 * means; help texts and docs/configuration.md are made from it.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { DEFAULT_IMAGE_LIMITS } from '../images/limits.ts';

const positive = z.coerce.number().int().positive();
const megabytes = (bytes: number) => `${bytes / 2 ** 20} MiB`;

export const settingsSchema = z.object({
  model: z
    .string()
    .optional()
    .describe('Model: a folder, s3:// URI or hub:NAME[@REVISION]. Default: a CLIP ViT-B/16 from the hub.'),
  provider: z
    .enum(['auto', 'cpu', 'cuda', 'webgpu'])
    .default('auto')
    .describe('What runs the model. auto: cuda where it is installed and a device is there, else cpu.'),
  deviceId: z.coerce.number().int().nonnegative().default(0).describe('GPU of this host, from 0.'),
  threads: positive.default(availableParallelism()).describe('CPU threads of the model. Default: all cores.'),
  batchSize: positive
    .optional()
    .describe('Images per run of the model. Default: 16 on a CPU; on a GPU found by doubling.'),
  decodeProcesses: positive
    .default(availableParallelism())
    .describe('Child processes that decode images. Default: as many as cores.'),
  fetchConcurrency: positive.default(24).describe('Images of one shard being fetched or decoded at once.'),
  shardSlots: positive
    .default(2)
    .describe('Shards that one worker works on at once; two hide the beginning and end of each.'),
  shardSize: positive
    .default(1000)
    .describe('Images per shard, and so per part: about 1,000 on CPUs, 10,000 on GPUs.'),
  concurrency: positive
    .default(16)
    .describe('Shards of a tag run, or pieces of features of a training, in work at once, over all workers.'),
  maxFailureRate: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Share of failed images, in [0, 1], above which a run pauses (after 1,000 images).'),
  heartbeatTimeoutS: positive
    .default(30)
    .describe('A worker that is silent for this long, in seconds, is taken for lost.'),
  maxBytes: positive
    .default(DEFAULT_IMAGE_LIMITS.maxBytes)
    .describe(
      `Larger objects, in bytes, become failure rows. Default: ${megabytes(DEFAULT_IMAGE_LIMITS.maxBytes)}.`,
    ),
  maxPixels: positive
    .default(DEFAULT_IMAGE_LIMITS.maxPixels)
    .describe('Images with more pixels (width x height) become failure rows.'),
  decodeTimeoutMs: positive
    .default(DEFAULT_IMAGE_LIMITS.timeoutMs)
    .describe('Longest time to decode one image, in milliseconds.'),
  stateDir: z.string().default('.c2srt').describe("Folder of the local Temporal server's data and of logs."),
});

export type Settings = z.infer<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** `batchSize` -> `C2SRT_BATCH_SIZE`. */
export const environmentName = (name: string): string =>
  `C2SRT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** `batchSize` -> `--batch-size`. */
export const flagName = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
