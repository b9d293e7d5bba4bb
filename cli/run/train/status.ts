import { readTrainCourse } from '../../../data/training/trainCourse.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { bestOf, stepsUntil } from '../../../workflows/train/trainDecisions.ts';
import type { Validation } from '../../../workflows/train/trainTypes.ts';
import type { TrainRunProgress } from './progress.ts';
import { lossText, validationText } from './texts.ts';

/** What `status` says of a training alone; null where the folder by itself does not tell. */
export interface TrainStatus {
  /** Images that are trained on. */
  images: number | null;
  /** Merged rounds, and rounds in all. */
  round: number;
  rounds: number | null;
  shards: number | null;
  /** Of all shards and rounds together. */
  steps: number | null;
  stepsDone: number | null;
  loss: number | null;
  startValidation: Validation | null;
  lastValidation: Validation | null;
  bestValidation: Validation | null;
  /** Whether a pause begins at the end of the round. */
  pausing: boolean;
}

/** What the run's folder says by itself: merged rounds and their validations. */
export async function trainStatusOfFolder(output: ObjectStore): Promise<TrainStatus> {
  const { plan, rounds, validations } = await readTrainCourse(output);
  const last = rounds.at(-1);
  const round = last?.round ?? 0;
  return {
    images: plan?.images ?? null,
    round,
    rounds: plan?.rounds ?? null,
    shards: plan?.shards ?? null,
    steps: plan && stepsUntil(plan.rounds, plan),
    stepsDone: plan && stepsUntil(round, plan),
    loss: last?.loss ?? null,
    startValidation: validations.find((validation) => validation.round === 0) ?? null,
    lastValidation: validations.at(-1) ?? null,
    bestValidation: bestOf(validations),
    pausing: false,
  };
}

export const trainStatus = ({
  stage,
  images,
  round,
  rounds,
  shards,
  steps,
  stepsDone,
  loss,
  startValidation,
  lastValidation,
  bestValidation,
  pausing,
}: TrainRunProgress): TrainStatus => {
  const isPlanned = stage !== 'snapshot' && stage !== 'prepare';
  return {
    images: stage === 'snapshot' ? null : images,
    round,
    rounds: isPlanned ? rounds : null,
    shards: isPlanned ? shards : null,
    steps: isPlanned ? steps : null,
    stepsDone: isPlanned ? stepsDone : null,
    loss,
    startValidation,
    lastValidation,
    bestValidation,
    pausing,
  };
};

export function describeTrainStatus(status: TrainStatus): string[] {
  const { images, round, rounds, shards, steps, stepsDone, loss } = status;
  const of = rounds === null ? '' : ` of ${rounds}`;
  const parts = [
    `${round}${of} done`,
    ...(shards === null ? [] : [`${shards} ${shards === 1 ? 'shard' : 'shards'}`]),
    ...(steps === null || stepsDone === null ? [] : [`step ${stepsDone} of ${steps}`]),
  ];
  return [
    ...(images === null ? [] : [`  images   ${images}`]),
    `  rounds   ${parts.join(', ')}`,
    ...(loss === null ? [] : [`  loss     ${lossText(loss)}`]),
    ...validationText(status).map((text) => `  scores   ${text}`),
    ...(status.pausing ? ['  pausing  at the end of this round'] : []),
  ];
}
