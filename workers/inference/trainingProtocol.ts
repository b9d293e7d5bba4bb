/** Messages about training between a process and its inference thread. */
import type { TrainerBatch, TrainerSetup } from '../../activities/train/dependencies.ts';
import type { ActivationValues } from '../../model/ranking/activations.ts';
import type { TrainingState } from '../../model/train/adamw.ts';
import type { Parameters } from '../../model/train/parameters.ts';
import type { ScorerOptions } from '../../model/ranking/scorer.ts';

export interface TrainingCalls {
  openEncoder: {
    parameters: { key: string; modelDir: string; trainedBlocks: number };
    result: { batchSize: number };
  };
  runEncoder: { parameters: { key: string; pixels: Uint8Array<ArrayBuffer> }; result: ActivationValues };
  closeEncoder: { parameters: { key: string }; result: undefined };
  openTrainer: { parameters: { key: string; setup: TrainerSetup }; result: undefined };
  closeTrainer: { parameters: { key: string }; result: undefined };
  /** A training on an open trainer; the number names it. */
  startTraining: { parameters: { training: number; key: string; state: TrainingState }; result: undefined };
  stepTraining: {
    parameters: { training: number; batch: TrainerBatch; rates: Readonly<Record<string, number>> };
    result: Record<string, number>;
  };
  measureTraining: {
    /** Without a batch: the last step's, which the thread still has. */
    parameters: { training: number; batch?: TrainerBatch };
    result: Record<string, number>;
  };
  readTraining: { parameters: { training: number }; result: TrainingState };
  endTraining: { parameters: { training: number }; result: undefined };
  openScorer: {
    parameters: { scorer: number; options: ScorerOptions; parameters: Parameters };
    result: { batchSize: number };
  };
  runScorer: { parameters: { scorer: number; hidden: Uint16Array<ArrayBuffer> }; result: Float32Array };
  closeScorer: { parameters: { scorer: number }; result: undefined };
}
