import { readScoredShards } from '../../../data/evaluation/scoreParts.ts';
import { MANIFEST } from '../../../data/run/layout.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { EvaluateResult } from '../../../workflows/evaluate/evaluateTypes.ts';
import type { EvaluateRunProgress } from './progress.ts';

/** What `status` says of an evaluation alone; null where the folder by itself does not tell. */
export interface EvaluateStatus {
  /** Of the test and of the validation images together; of a finished evaluation those of the test. */
  images: number | null;
  imagesDone: number | null;
  shards: number | null;
  /** Null of a finished evaluation, whose scores are gone. */
  shardsDone: number | null;
}

/** What the run's folder says by itself: how many shards are scored, and at the end how many images. */
export async function evaluateStatusOfFolder(output: ObjectStore): Promise<EvaluateStatus> {
  const manifest = (await readJsonIfThere(output, MANIFEST)) as { result: EvaluateResult } | undefined;
  if (!manifest)
    return { images: null, imagesDone: null, shards: null, shardsDone: await readScoredShards(output) };
  const images = manifest.result.images + manifest.result.failed;
  return { images, imagesDone: images, shards: null, shardsDone: null };
}

export const evaluateStatus = ({
  stage,
  images,
  imagesDone,
  shards,
  shardsDone,
}: EvaluateRunProgress): EvaluateStatus => {
  const isPlanned = stage !== 'snapshot' && stage !== 'prepare';
  return isPlanned
    ? { images, imagesDone, shards, shardsDone }
    : { images: null, imagesDone: null, shards: null, shardsDone };
};

export function describeEvaluateStatus({ images, imagesDone, shards, shardsDone }: EvaluateStatus): string[] {
  return [
    ...(images === null || imagesDone === null ? [] : [`  images   ${imagesDone} of ${images} scored`]),
    ...(shardsDone === null
      ? []
      : [`  shards   ${shardsDone}${shards === null ? '' : ` of ${shards}`} scored`]),
  ];
}
