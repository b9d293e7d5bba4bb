import { randomUUID } from 'node:crypto';
import { Failure } from '../../data/failure.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { requireTrainRun } from '../../data/run/requireRun.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import { validationKey } from '../../data/run/trainLayout.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import type { TrainActivities, TrainShardProgress, Validation } from '../../workflows/trainTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import type { TrainDependencies } from './dependencies.ts';
import { extractFeatures } from './extractFeatures.ts';
import { finishTraining } from './finishTraining.ts';
import { createImageLoader } from './imageLoader.ts';
import { requirePrepared } from './prepared.ts';
import { prepareTraining } from './prepareTraining.ts';
import { openRankingTask, type RankingTask } from './rankingTask.ts';
import { readMerged } from './roundStates.ts';
import { trainShard } from './trainShard.ts';

/** Activities of a training that run the model, on the `gpu` queue. */
export function createTrainActivities(dependencies: TrainDependencies): TrainActivities {
  const { openStore, device, resolveModel } = dependencies;
  const open = new OpenTasks(dependencies);

  const starting = async (
    output: ObjectStore,
  ): Promise<{ record: TrainRecord; model: ModelFolder; hash: string }> => {
    const record = await requireTrainRun(output);
    const { dir, hash } = await resolveModel(record.spec.model);
    return { record, model: openModelFolder(dir), hash };
  };

  return {
    prepareTraining: ({ output: uri }) =>
      withHeartbeat(async () => {
        const output = openStore(uri);
        const { record, model, hash } = await starting(output);
        if (record.kind !== 'train') throw new Failure('Internal.Unexpected', 'not yet');
        return prepareTraining({ output, record, model, hash, device });
      }),

    extractFeatures: ({ output: uri, hash, snapshot, piece }) =>
      withHeartbeat<number, { images: number; failed: number }>(async ({ signal, report }) => {
        const task = await open.task(uri);
        const { images, failed } = await extractFeatures({
          output: openStore(uri),
          hash,
          snapshot,
          piece,
          ...task.features(snapshot),
          source: await task.computed(),
          signal,
          report,
        });
        return { images, failed: failed.length };
      }),

    trainShard: ({ output: uri, round, shard }) =>
      withHeartbeat<TrainShardProgress, Awaited<ReturnType<TrainActivities['trainShard']>>>(
        async ({ signal, report }) => {
          const { steps, images, failed, loss, seconds } = await trainShard({
            output: openStore(uri),
            task: await open.task(uri),
            device,
            round,
            shard,
            attempt: randomUUID(),
            signal,
            report,
          });
          return { steps, images, failed, loss, seconds };
        },
      ),

    validateRound: ({ output: uri, round }) =>
      withHeartbeat<number, Validation>(async ({ signal, report }) => {
        const output = openStore(uri);
        const task = await open.task(uri);
        const { parameters } = await readMerged(output, round);
        const validation = { round, ...(await task.validate(parameters, report, signal)) };
        await output.put(validationKey(round), JSON.stringify(validation), {
          contentType: 'application/json',
        });
        return validation;
      }),

    finishTraining: ({ output: uri, best, round, stoppedEarly }) =>
      withHeartbeat(async () => {
        const output = openStore(uri);
        const { record, model } = await starting(output);
        return finishTraining({ output, record, model, best, round, stoppedEarly });
      }),
  };
}

/** Opened runs; only the latest is kept, as a worker seldom has shards of two. */
class OpenTasks {
  private readonly dependencies: TrainDependencies;
  private readonly tasks = new Map<string, Promise<RankingTask>>();

  constructor(dependencies: TrainDependencies) {
    this.dependencies = dependencies;
  }

  task(uri: string): Promise<RankingTask> {
    let task = this.tasks.get(uri);
    if (!task) {
      for (const other of this.tasks.values())
        void other.then(
          (opened) => opened.close(),
          () => undefined,
        );
      this.tasks.clear();
      this.tasks.set(uri, (task = this.open(uri)));
      task.catch(() => this.tasks.delete(uri));
    }
    return task;
  }

  private async open(uri: string): Promise<RankingTask> {
    const { openStore, device, decoder, resolveModel, concurrency } = this.dependencies;
    const output = openStore(uri);
    const record = await requireTrainRun(output);
    if (record.kind !== 'train') throw new Failure('Internal.Unexpected', 'not yet');
    const prepared = await requirePrepared(output);
    const { dir, hash } = await resolveModel(record.spec.model);
    if (hash !== prepared.model)
      throw new Failure(
        'Model.Changed',
        `The model at ${record.spec.model} is not the one that ${uri} was started with.`,
        {
          subject: record.spec.model,
          hint: 'Put the first model back and resume, or train from the new one into another --out.',
        },
      );
    const model = openModelFolder(dir);
    const loader = createImageLoader({
      openStore,
      decoder: decoder(model.preprocess, DEFAULT_IMAGE_LIMITS),
      imageSide: model.preprocess.cropSize,
      maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes,
      concurrency,
    });
    return openRankingTask({ output, settings: record.spec.settings, prepared, model, device, loader, concurrency });
  }
}
