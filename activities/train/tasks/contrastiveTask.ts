import type { PretrainSettings } from '../../../data/config/trainSchema.ts';
import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { snapshotFolder } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { summariseFailed, type FailedImage } from '../../../data/training/failedImages.ts';
import { patchCount } from '../../../model/clip/config.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import type { ContrastiveBatch } from '../../../model/pretrain/contrastiveFeeds.ts';
import { shownPatchCount } from '../../../model/pretrain/shownPatches.ts';
import { randomStream } from '../../../data/random.ts';
import { initialState } from '../../../model/train/adamw.ts';
import { rateShare } from '../../../model/train/schedule.ts';
import type { TrainerSetup, TrainingDevice } from '../dependencies.ts';
import type { ImageLoader } from '../features/imageLoader.ts';
import type { Prepared } from '../prepare/prepared.ts';
import { trainingRows } from './trainingRows.ts';
import type { LoadedBatch, TrainingTask } from './trainingTask.ts';

export interface ContrastiveTaskOptions {
  /** Names the run in this worker. */
  key: string;
  /** Has the snapshots. */
  snapshots: ObjectStore;
  settings: PretrainSettings;
  prepared: Prepared;
  model: ModelFolder;
  device: TrainingDevice;
  loader: ImageLoader;
}

/** Pre-training of both encoders on images and what is said of them. */
export function openContrastiveTask(options: ContrastiveTaskOptions): TrainingTask {
  const { key, snapshots, settings, prepared, model, device, loader } = options;
  const { plan } = prepared;
  const { preprocess, config, tokenizer } = model;
  const imageBytes = preprocess.cropSize ** 2 * 3;
  const patches = patchCount(config.vision_config);
  const setup: TrainerSetup = {
    kind: 'contrastive',
    options: {
      config,
      normalisation: { scale: preprocess.rescaleFactor, mean: preprocess.mean, std: preprocess.std },
      ...prepared.contrastive!,
      localWeight: settings.localWeight,
      localTemperature: settings.localTemperature,
    },
    optimiser: settings,
  };

  /** A batch of the images that can be had; each says one of its captions and one of its mentions, drawn by `name`. */
  const batchOf = async (
    images: readonly SnapshotRow[],
    name: readonly (number | string)[],
    shownPatches: number,
    signal: AbortSignal,
  ): Promise<{ batch: ContrastiveBatch; failed: FailedImage[] }> => {
    const { pixels, failed } = await loader(images, signal);
    const had = images.flatMap((_, i) => (failed.has(i) ? [] : [i]));
    const own = new Uint8Array(had.length * imageBytes);
    for (const [to, from] of had.entries())
      own.set(pixels.subarray(from * imageBytes, (from + 1) * imageBytes), to * imageBytes);
    const stream = randomStream('captions', ...name);
    const drawn = images.map(({ captions = [], mentions = [] }) => {
      const caption = captions[stream.integer(captions.length)]!;
      return { caption, mention: mentions.length > 0 ? mentions[stream.integer(mentions.length)]! : caption };
    });
    const said = had.map((i) => drawn[i]!);
    return {
      batch: {
        pixels: own,
        captions: said.map(({ caption }) => tokenizer.encode(caption)),
        mentions: said.map(({ mention }) => tokenizer.encode(mention)),
        shownPatches,
        key: name,
      },
      failed: [...failed.values()],
    };
  };

  return {
    key,
    setup,
    order: {
      images: plan.images,
      shards: plan.shards,
      batchSize: settings.batchSize,
      seed: settings.seed,
    },
    steps: plan.steps,
    localSteps: settings.localSteps,
    maxFailureRate: settings.maxFailureRate,
    rates(step) {
      const { schedule: kind, warmupSteps, rate } = settings;
      return { encoder: rate * rateShare(step, { kind, warmupSteps, steps: plan.steps }) };
    },
    rows: trainingRows(snapshots),
    async load(_, images, { step, shard }, signal): Promise<LoadedBatch> {
      const shown = shownPatchCount(settings, patches, step, plan.steps);
      const loaded = await batchOf(images, [settings.seed, shard, step], shown, signal);
      return { ...loaded, images: images.length };
    },
    async validate(parameters, report, signal) {
      const rows = await readSnapshotRows(snapshots, snapshotFolder('validation'), 0, plan.validationImages);
      const training = await device.startTraining(key, setup, initialState(parameters));
      const sums: Record<string, number> = {};
      const unread: FailedImage[] = [];
      let pairs = 0;
      try {
        for (let from = 0; from < rows.length; from += settings.batchSize) {
          const { batch, failed } = await batchOf(
            rows.slice(from, from + settings.batchSize),
            ['validation', from],
            patches,
            signal,
          );
          unread.push(...failed);
          const count = batch.captions.length;
          // Fewer than two images have nothing to be told apart from.
          if (count < 2) continue;
          for (const [name, value] of Object.entries(await training.losses(batch)))
            sums[name] = (sums[name] ?? 0) + value * count;
          pairs += count;
          report(pairs);
        }
      } finally {
        await training.release();
      }
      const metrics = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / pairs]));
      return {
        images: pairs,
        score: -(metrics['loss'] ?? 0),
        metrics: { losses: metrics },
        unread: summariseFailed(unread),
      };
    },
    close: () => Promise.resolve(),
  };
}
