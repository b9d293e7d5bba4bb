/** What the inference thread does for training. */
import type { TrainerBatch, TrainerSetup } from '../../activities/train/dependencies.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { DeviceOptions } from '../../model/onnx/session.ts';
import { createActivationEncoder, type ActivationEncoder } from '../../model/ranking/activations.ts';
import type { AdamWSettings, TrainingState } from '../../model/train/adamw.ts';
import type { Objective } from '../../model/train/objective.ts';
import { createRankingObjective } from '../../model/ranking/rankingObjective.ts';
import { createScorer, type Scorer } from '../../model/ranking/scorer.ts';
import { createTrainer, type Trainer } from '../../model/train/trainer.ts';
import { createContrastiveObjective } from '../../model/pretrain/contrastiveObjective.ts';
import { clipParameterShapes } from '../../model/pretrain/shapes.ts';
import { HEAD_PREFIX } from '../../model/head/shape.ts';
import type { TrainingCalls } from './trainingProtocol.ts';

/** Images per run of the frozen encoder, and of scoring. */
const CPU_BATCH = 16;
const GPU_BATCH = 64;

type Handlers = {
  [Name in keyof TrainingCalls]: (
    parameters: TrainingCalls[Name]['parameters'],
  ) => Promise<TrainingCalls[Name]['result']>;
};

/** Handlers of the training calls, and what releases all that is open. */
export function trainingHandlers(
  device: DeviceOptions,
  batchSize: number | undefined,
): { handlers: Handlers; release: () => Promise<void> } {
  const imagesPerRun = batchSize ?? (device.provider === 'cpu' ? CPU_BATCH : GPU_BATCH);
  const encoders = new Map<string, ActivationEncoder>();
  const trainers = new Map<string, Trainer<TrainerBatch>>();
  const trainings = new Map<number, { key: string; state: TrainingState; last?: TrainerBatch }>();
  const scorers = new Map<number, Scorer>();
  const handlers: Handlers = {
    async openEncoder({ key, modelDir, trainedBlocks }) {
      encoders.set(key, await createActivationEncoder(openModelFolder(modelDir), trainedBlocks, device));
      return { batchSize: imagesPerRun };
    },
    runEncoder: ({ key, pixels }) => encoders.get(key)!.run(pixels),
    closeEncoder: ({ key }) => close(encoders, key),

    async openTrainer({ key, setup }) {
      const { objective, parameters } = await objectiveOf(setup, device);
      trainers.set(key, await createTrainer(objective, parameters, optimiserOf(setup), device));
      return undefined;
    },
    closeTrainer: ({ key }) => close(trainers, key),

    startTraining({ training, key, state }) {
      trainings.set(training, { key, state });
      return Promise.resolve(undefined);
    },
    async stepTraining({ training, batch, rates }) {
      const { key, state } = trainings.get(training)!;
      const next = await trainers.get(key)!.step(state, batch, rates);
      trainings.set(training, { key, state: next.state, last: batch });
      return next.losses;
    },
    measureTraining({ training, batch }) {
      const { key, state, last } = trainings.get(training)!;
      return trainers.get(key)!.losses(state, (batch ?? last)!);
    },
    readTraining: ({ training }) => Promise.resolve(trainings.get(training)!.state),
    endTraining({ training }) {
      trainings.delete(training);
      return Promise.resolve(undefined);
    },

    async openScorer({ scorer, options, parameters }) {
      const opened = await createScorer(parameters, options, device, imagesPerRun);
      scorers.set(scorer, opened);
      return { batchSize: opened.batchSize };
    },
    runScorer: ({ scorer, hidden }) => scorers.get(scorer)!.run(hidden),
    closeScorer: ({ scorer }) => close(scorers, scorer),
  };
  return {
    handlers,
    async release() {
      for (const open of [encoders, trainers, scorers])
        for (const [, resource] of open) await resource.release();
    },
  };
}

async function close<Key>(open: Map<Key, { release(): Promise<void> }>, key: Key): Promise<undefined> {
  const resource = open.get(key);
  open.delete(key);
  await resource?.release();
}

/** What a setup says is minimised, and the shapes of its parameters. */
async function objectiveOf(
  setup: TrainerSetup,
  device: DeviceOptions,
): Promise<{
  objective: Objective<TrainerBatch>;
  parameters: ReadonlyMap<string, { shape: readonly number[] }>;
}> {
  // A trainer is only given batches of the kind that it was set up for.
  if (setup.kind === 'contrastive') {
    const objective = createContrastiveObjective(setup.options, device) as Objective<TrainerBatch>;
    return { objective, parameters: clipParameterShapes(setup.options.config) };
  }
  const objective = (await createRankingObjective(setup.options, device)) as Objective<TrainerBatch>;
  return { objective, parameters: setup.options.parameters };
}

/** Rates go by group: `head`, and `encoder` for everything else. */
function optimiserOf({ optimiser }: TrainerSetup): AdamWSettings {
  const { withoutDecay, clipNorm, ...settings } = optimiser;
  return {
    ...settings,
    decays: (name) => !withoutDecay.some((part) => name.includes(part)),
    groupOf: (name) => (name.startsWith(HEAD_PREFIX) ? 'head' : 'encoder'),
    ...(clipNorm !== undefined && { clipNorm }),
  };
}
