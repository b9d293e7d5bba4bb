import { randomUUID } from 'node:crypto';
import { Failure } from '../../data/failure.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../data/images/limits.ts';
import { requireTrainRun } from '../../data/run/requireRun.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import { CHECKPOINT, validationKey } from '../../data/training/trainLayout.ts';
import { trainPlaces } from '../../data/training/trainPlaces.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import type {
  TrainActivities,
  PreparedTraining,
  TrainShardProgress,
  Validation,
} from '../../workflows/train/trainTypes.ts';
import { withHeartbeat } from '../activityScope.ts';
import { Shared } from '../shared.ts';
import type { TrainDependencies } from './dependencies.ts';
import { finishTraining, writeModel } from './finishTraining.ts';
import { createImageLoader } from './features/imageLoader.ts';
import { withExtracted } from './features/planFeatures.ts';
import { requirePrepared, type Prepared } from './prepare/prepared.ts';
import { prepareTraining } from './prepare/prepareTraining.ts';
import { preparePretraining } from './prepare/preparePretraining.ts';
import { openRankingTask } from './tasks/rankingTask.ts';
import { readMerged } from './rounds/roundStates.ts';
import { openContrastiveTask } from './tasks/contrastiveTask.ts';
import type { TrainingTask } from './tasks/trainingTask.ts';
import { trainShard } from './rounds/trainShard.ts';

/** Activities of a training that run the model, on the `gpu` queue. */
export function createTrainActivities(dependencies: TrainDependencies): TrainActivities {
  const { openStore, device, resolveModel } = dependencies;
  const open = new OpenTasks(dependencies);

  const starting = async (
    output: ObjectStore,
  ): Promise<{ record: TrainRecord; model: ModelFolder; hash: string }> => {
    const record = await requireTrainRun(output);
    const { dir, hash } = await resolveModel(record.spec.model);
    return { record, model: openStarting(record, dir), hash };
  };
  /** {@link starting}, of a run that is prepared: what is not trained must be what it was prepared with. */
  const prepared = async (output: ObjectStore): Promise<{ record: TrainRecord; model: ModelFolder }> => {
    const { record, model, hash } = await starting(output);
    refuseChanged(output.uri, record, hash, await requirePrepared(output));
    return { record, model };
  };

  return {
    prepareTraining: ({ output: uri }) =>
      withHeartbeat<number, PreparedTraining>(async ({ report }) => {
        const output = openStore(uri);
        const { record, model, hash } = await starting(output);
        const places = trainPlaces(output, record.spec, openStore);
        const { snapshots, artifacts } = places;
        const { plan, ranking } =
          record.kind === 'train'
            ? await prepareTraining({ output, places, record, model, hash, device })
            : await preparePretraining({ output, snapshots, record, model, hash, device, report });
        const features = await withExtracted(artifacts, ranking?.features ?? []);
        return { plan, artifacts: artifacts.uri, features };
      }),

    trainShard: ({ output: uri, round, shard }) =>
      withHeartbeat<TrainShardProgress, Awaited<ReturnType<TrainActivities['trainShard']>>>(
        async ({ signal, report }) => {
          const output = openStore(uri);
          const attempt = randomUUID();
          const { steps, images, failed, loss, seconds } = await open.with(uri, (task) =>
            trainShard({ output, task, device, round, shard, attempt, signal, report }),
          );
          return { steps, images, failed, loss, seconds };
        },
      ),

    validateRound: ({ output: uri, round }) =>
      withHeartbeat<number, Validation>(async ({ signal, report }) => {
        const output = openStore(uri);
        const { parameters } = await readMerged(output, round);
        const { unread, ...figures } = await open.with(uri, (task) =>
          task.validate(parameters, report, signal),
        );
        const validation = { round, ...figures };
        await output.put(validationKey(round), JSON.stringify({ ...validation, unread }), {
          contentType: 'application/json',
        });
        return validation;
      }),

    keepCheckpoint: ({ output: uri, best, round }) =>
      withHeartbeat(async () => {
        const output = openStore(uri);
        const { record, model } = await prepared(output);
        await writeModel({ output, record, model, best, round, stoppedEarly: true }, CHECKPOINT);
      }),

    finishTraining: ({ output: uri, best, round, stoppedEarly }) =>
      withHeartbeat(async () => {
        const output = openStore(uri);
        const { record, model } = await prepared(output);
        return finishTraining({ output, record, model, best, round, stoppedEarly });
      }),
  };
}

/** The model that a run starts from; a pre-training may do without its weights. */
const openStarting = ({ kind }: TrainRecord, dir: string): ModelFolder =>
  openModelFolder(dir, { weights: kind === 'pretrain' ? 'optional' : 'required' });

/** Throws `Model.Changed` where the model that a run starts from, of this hash now, is not the one it was prepared with. */
function refuseChanged(uri: string, { spec }: TrainRecord, hash: string, prepared: Prepared): void {
  if (hash === prepared.model) return;
  throw new Failure(
    'Model.Changed',
    `The model at ${spec.model} is not the one that ${uri} was started with.`,
    {
      subject: spec.model,
      hint: 'Put the first model back and resume, or train from the new one into another --out.',
    },
  );
}

/** Runs as workers open them, shared by their activities. */
class OpenTasks {
  private readonly dependencies: TrainDependencies;
  private readonly tasks = new Shared<TrainingTask>((_, task) => task.close());

  constructor(dependencies: TrainDependencies) {
    this.dependencies = dependencies;
  }

  /** Does `work` with the task of the run in this folder. */
  async with<Result>(uri: string, work: (task: TrainingTask) => Promise<Result>): Promise<Result> {
    const record = await requireTrainRun(this.dependencies.openStore(uri));
    // Not by the folder alone: it may have been emptied and given to another run.
    const key = `${uri} ${record.createdAt}`;
    const task = await this.tasks.use(key, () => this.open(uri, record, key));
    try {
      return await work(task);
    } finally {
      await this.tasks.release(key);
    }
  }

  private async open(uri: string, record: TrainRecord, key: string): Promise<TrainingTask> {
    const { openStore, device, decoder, resolveModel, concurrency } = this.dependencies;
    const output = openStore(uri);
    const prepared = await requirePrepared(output);
    const { dir, hash } = await resolveModel(record.spec.model);
    refuseChanged(uri, record, hash, prepared);
    const model = openStarting(record, dir);
    const loader = createImageLoader({
      openStore,
      decoder: decoder(model.preprocess, DEFAULT_IMAGE_LIMITS),
      imageSide: model.preprocess.cropSize,
      maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes,
      concurrency,
    });
    const places = trainPlaces(output, record.spec, openStore);
    const common = { key, prepared, model, device, loader };
    return record.kind === 'train'
      ? openRankingTask({ ...common, output, places, settings: record.spec.settings, concurrency })
      : openContrastiveTask({ ...common, snapshots: places.snapshots, settings: record.spec.settings });
  }
}
