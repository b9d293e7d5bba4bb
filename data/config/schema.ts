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
    .describe(
      'Model: a folder, an s3:// URI, published models with or without @ALIAS, or hub:NAME[@REVISION]. Default: a CLIP ViT-B/16 from the hub.',
    ),
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
  llmBaseUrl: z
    .url()
    .default('https://api.openai.com/v1')
    .describe('Endpoint of the language model, of any server that speaks the OpenAI protocol.'),
  llmApiKeyVariable: z
    .string()
    .default('OPENAI_API_KEY')
    .describe("Environment variable of the worker that holds the endpoint's key; an unset one means no key."),
  llmTimeoutMs: positive
    .default(60_000)
    .describe('Longest time for one answer of the endpoint, in milliseconds.'),
  llmConcurrency: positive.default(4).describe('Questions to the endpoint at once, over all workers.'),
  llmBatch: positive
    .default(8)
    .describe('Categories that one activity asks about: an answer is kept as soon as it is there.'),
  llmRequestsPerMinute: positive
    .optional()
    .describe("Limit of a run's requests to the endpoint, over all workers. Default: none."),
  llmTokensPerMinute: positive
    .optional()
    .describe("Limit of a run's tokens, of questions and answers, over all workers. Default: none."),
  llmMaxCostUsd: z.coerce
    .number()
    .positive()
    .optional()
    .describe(
      'What a graph may cost in all, in US dollars: it stops before more is spent. Needs the prices. Default: no limit.',
    ),
  llmCache: z
    .string()
    .optional()
    .describe(
      "Folder of the model's answers that runs share, so that a question is asked once. Default: none.",
    ),
  llmInputPrice: z.coerce
    .number()
    .nonnegative()
    .default(0)
    .describe('Price of a million tokens of questions, in US dollars.'),
  llmOutputPrice: z.coerce
    .number()
    .nonnegative()
    .default(0)
    .describe('Price of a million tokens of answers, in US dollars.'),
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
