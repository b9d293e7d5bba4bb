import type { PretrainSettings, TrainSettings } from '../../data/config/trainSchema.ts';
import type { ImageLimits } from '../../data/images/limits.ts';
import type { PreprocessConfig } from '../../data/images/preprocessConfig.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { PromptedCategory } from '../../model/clip/textEncoder.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { ActivationValues } from '../../model/ranking/activations.ts';
import type { TrainingState } from '../../model/train/adamw.ts';
import type { ContrastiveBatch } from '../../model/pretrain/contrastiveFeeds.ts';
import type { ContrastiveOptions } from '../../model/pretrain/contrastiveGraph.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import type { RankingBatch, RankingOptions } from '../../model/ranking/rankingObjective.ts';
import type { ScorerOptions } from '../../model/ranking/scorer.ts';
import type { Decoder } from '../tag/dependencies.ts';

/** AdamW's settings as plain data. */
export type OptimiserSettings = Pick<
  TrainSettings | PretrainSettings,
  'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'withoutDecay' | 'clipNorm'
>;

/** What a device trains. */
export type TrainerSetup = { optimiser: OptimiserSettings } & (
  { kind: 'ranking'; options: RankingOptions } | { kind: 'contrastive'; options: ContrastiveOptions }
);

/** Training on one device; implemented by the inference thread. */
export interface TrainingDevice {
  /** Versions and hardware that results depend on. */
  readonly fingerprint: Readonly<Record<string, string>>;
  /** Text features of categories, [categories, d]. */
  encodeCategories(model: ModelFolder, categories: readonly PromptedCategory[]): Promise<Float32Array>;
  /** The frozen encoder below the trained blocks; the same `key` shares one session. */
  activationEncoder(key: string, model: ModelFolder, trainedBlocks: number): Promise<SharedEncoder>;
  /** A training that begins at `state`; trainings of the same `key` share one session. */
  startTraining(key: string, setup: TrainerSetup, state: TrainingState): Promise<Training>;
  scorer(options: ScorerOptions, parameters: Parameters): Promise<SharedScorer>;
}

export interface SharedEncoder {
  /** Images per run that suit the device. */
  readonly batchSize: number;
  /** pixels uint8 [B, S, S, 3]; they are handed over and must not be used afterwards. */
  run(pixels: Uint8Array<ArrayBuffer>): Promise<ActivationValues>;
  release(): Promise<void>;
}

/** A batch of what the trainer was set up for. */
export type TrainerBatch = RankingBatch | ContrastiveBatch;

export interface Training {
  /** Losses of the batch before the step. The batch's arrays are handed over. Throws `Train.NotFinite`. */
  step(batch: TrainerBatch, rates: Readonly<Record<string, number>>): Promise<Record<string, number>>;
  /** Losses of a batch, by default of the last step's, without a step. */
  losses(batch?: TrainerBatch): Promise<Record<string, number>>;
  /** The state after the steps so far. */
  state(): Promise<TrainingState>;
  release(): Promise<void>;
}

export interface SharedScorer {
  readonly batchSize: number;
  /** hidden: bits of float16 [B, T, width], handed over -> scores [B, C]. */
  run(hidden: Uint16Array<ArrayBuffer>): Promise<Float32Array>;
  release(): Promise<void>;
}

export interface TrainDependencies {
  openStore(uri: string): ObjectStore;
  device: TrainingDevice;
  /** The decoder for a model's preprocessing and limits. */
  decoder(preprocess: PreprocessConfig, limits: ImageLimits): Decoder;
  /** A model's folder on this machine, fetched where it has to be, and its hash. */
  resolveModel(uri: string): Promise<{ dir: string; hash: string }>;
  /** Images being fetched or decoded at once. */
  concurrency: number;
}
