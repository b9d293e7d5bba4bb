/** Messages between a process and its inference thread. */
import type { FailureDetails } from '../../data/failure.ts';
import type { PromptedCategory } from '../../model/clip/textEncoder.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import type { BatchScores, TaggerOptions, Vocabulary } from '../../model/tagger.ts';
import type { TrainingCalls } from './trainingProtocol.ts';

/** What the thread is started with. */
export interface ThreadOptions {
  device: DeviceOptions;
  /** Images per run; undefined: what suits the device. */
  batchSize: number | undefined;
}

/** Calls and what they return. Features and pixels are transferred, not copied. */
export interface Calls extends TrainingCalls {
  encodeCategories: {
    parameters: { modelDir: string; categories: readonly PromptedCategory[] };
    result: Float32Array;
  };
  openTagger: {
    parameters: {
      key: string;
      modelDir: string;
      vocabularies: readonly Vocabulary[];
      options: Omit<TaggerOptions, 'batchSize'>;
    };
    result: { batchSize: number };
  };
  runTagger: { parameters: { key: string; pixels: Uint8Array<ArrayBuffer> }; result: BatchScores };
  closeTagger: { parameters: { key: string }; result: undefined };
  /** Releases all sessions; the thread then ends by itself. */
  stop: { parameters: Record<string, never>; result: undefined };
}

export type CallName = keyof Calls;

export interface Request<Name extends CallName = CallName> {
  id: number;
  name: Name;
  parameters: Calls[Name]['parameters'];
}

export type Response = { id: number; result: unknown } | { id: number; error: PlainFailure };

/** A thrown value as it crosses the thread's boundary, where classes are lost. */
export interface PlainFailure extends Pick<FailureDetails, 'hint' | 'subject' | 'retryable'> {
  code: string;
  message: string;
}
