import type { Decoded } from '../../data/images/preprocess.ts';
import type { PromptedCategory } from '../../model/clip/textEncoder.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { BatchScores, TaggerOptions, Vocabulary } from '../../model/tagger.ts';

/** Inference on one device. Implemented by a thread of its own, because a run blocks its event loop. */
export interface Inference {
  /** Versions and hardware that the scores depend on, for manifests and artifact names. */
  readonly fingerprint: Readonly<Record<string, string>>;
  /** Text features of categories, [categories, d]. */
  encodeCategories(model: ModelFolder, categories: readonly PromptedCategory[]): Promise<Float32Array>;
  /** A tagger; the same `key` shares one session. */
  tagger(
    key: string,
    model: ModelFolder,
    vocabularies: readonly Vocabulary[],
    options: Omit<TaggerOptions, 'batchSize'>,
  ): Promise<SharedTagger>;
}

export interface SharedTagger {
  /** Images per run that suit the device. */
  readonly batchSize: number;
  /** pixels uint8 [B, S, S, 3], 1 <= B <= batchSize; they are handed over and must not be used afterwards. */
  run(pixels: Uint8Array<ArrayBuffer>): Promise<BatchScores>;
  /** Lets go of it; the session may stay for the next shard. */
  release(): Promise<void>;
}

/** Decoding in child processes, for one model's preprocessing. */
export interface Decoder {
  decode(body: Uint8Array, options?: { signal?: AbortSignal }): Promise<Decoded>;
}
