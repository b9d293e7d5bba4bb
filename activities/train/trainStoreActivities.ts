import { randomUUID } from 'node:crypto';
import { writeSnapshot, type Snapshots } from '../../data/dataset/snapshot.ts';
import { requireTrainRun } from '../../data/run/requireRun.ts';
import { readTrainCourse, type TrainCourse } from '../../data/training/trainCourse.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { bestOf } from '../../workflows/train/trainDecisions.ts';
import type { TrainState, TrainStoreActivities } from '../../workflows/train/trainTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import { readCategories } from '../prepare.ts';
import { mergeRound, sweepRounds } from './rounds/mergeRound.ts';
import { requirePrepared } from './prepare/prepared.ts';
import { requireSnapshots } from './prepare/roundsOf.ts';

/** Activities of a training that need the object stores alone, on the `orchestrate` queue. */
export function createTrainStoreActivities({
  openStore,
}: {
  openStore(uri: string): ObjectStore;
}): TrainStoreActivities {
  return {
    snapshotDataset: ({ output }) =>
      withHeartbeat<number, { images: number; validationImages: number }>(async ({ signal, report }) => {
        const folder = openStore(output);
        const { kind, spec } = await requireTrainRun(folder);
        const { data, validation, snapshot, settings } = spec;
        if (snapshot !== null) return imagesOf(await requireSnapshots(openStore(snapshot)));
        const snapshots = await writeSnapshot({
          ...(kind === 'train'
            ? {
                kind: 'labels',
                categories: await readCategories(folder),
                unlisted: spec.settings.unlisted,
              }
            : { kind: 'captions' }),
          output: folder,
          data,
          validation,
          validationShare: settings.validationShare,
          report,
          signal,
        });
        return imagesOf(snapshots);
      }),

    readTrainState: ({ output }) =>
      withHeartbeat(async () => stateOf(await readTrainCourse(openStore(output)))),

    mergeRound: ({ output, round }) =>
      withHeartbeat(async () => {
        const folder = openStore(output);
        const { spec } = await requireTrainRun(folder);
        const { plan } = await requirePrepared(folder);
        const { loss, images, seconds } = await mergeRound(
          folder,
          round,
          plan.shards,
          spec.settings,
          randomUUID(),
        );
        return { round, loss, images, seconds };
      }),

    sweepRounds: ({ output, round, best }) =>
      withHeartbeat(() => sweepRounds(openStore(output), round, best)),
  };
}

const imagesOf = ({ train, validation }: Snapshots): { images: number; validationImages: number } => ({
  images: train.images,
  validationImages: validation.images,
});

/**
 * What a workflow needs of the course of a training: the last round, and figures of the validations that it shows. Of
 * thousands of rounds more would not fit a payload.
 */
function stateOf({ rounds, validations }: TrainCourse): TrainState {
  const shown = new Set([validations[0], validations.at(-1), bestOf(validations)]);
  return {
    lastRound: rounds.at(-1) ?? null,
    validations: validations.map((validation) =>
      shown.has(validation) ? validation : { ...validation, metrics: {} },
    ),
  };
}
