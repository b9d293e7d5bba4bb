import type { TrainSettings } from '../../../data/config/trainSchema.ts';
import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import { PREPARED_TEXT, snapshotFolder, type SnapshotName } from '../../../data/training/trainLayout.ts';
import { decodeSafetensors, readFloats } from '../../../data/safetensors.ts';
import type { TrainPlaces } from '../../../data/training/trainPlaces.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { IndexedEdge } from '../../../data/subgraph.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { activationShape } from '../../../model/ranking/activations.ts';
import { rateShare } from '../../../model/train/schedule.ts';
import type { Parameters } from '../../../model/train/parameters.ts';
import { computedActivations, keptActivations, type ActivationSource } from '../features/activationSource.ts';
import type { SharedEncoder, TrainingDevice } from '../dependencies.ts';
import type { ImageLoader } from '../features/imageLoader.ts';
import type { Prepared, PreparedRanking } from '../prepare/prepared.ts';
import { readMerged } from '../rounds/roundStates.ts';
import { trainingRows } from './trainingRows.ts';
import type { TrainingTask } from './trainingTask.ts';
import { validateRanking } from './validateRanking.ts';

export interface RankingTaskOptions {
  /** Names the run in this worker. */
  key: string;
  output: ObjectStore;
  places: TrainPlaces;
  settings: TrainSettings;
  prepared: Prepared;
  model: ModelFolder;
  device: TrainingDevice;
  loader: ImageLoader;
  /** Images read at once. */
  concurrency: number;
}

/** Training of encoder and head on labelled images. */
export async function openRankingTask(options: RankingTaskOptions): Promise<TrainingTask> {
  const { key, output, places, settings, prepared, model, device } = options;
  const ranking = prepared.ranking!;
  const { plan } = prepared;
  const { parameters } = await readMerged(output, 0);
  const text = readFloats(
    decodeSafetensors((await output.get(PREPARED_TEXT)).body, PREPARED_TEXT).get('text')!,
  );
  const d = model.config.projection_dim;
  const seenOf = new Map(ranking.seen.map((category, i) => [category, i]));
  const shapes = new Map([...parameters].map(([name, { shape }]) => [name, { shape }]));
  const common = {
    config: model.config,
    head: ranking.head,
    headShape: ranking.headShape ? shapeOf(ranking.headShape) : undefined,
    trainedBlocks: settings.trainedBlocks,
  };
  const sources = new ActivationSources(options);
  return {
    key,
    setup: {
      kind: 'ranking',
      options: {
        ...common,
        parameters: shapes,
        text: rowsOf(text, d, ranking.seen),
        edges: edgesAmong(ranking, seenOf),
        loss: {
          margin: settings.margin,
          scale: settings.scale,
          distillation: settings.distillation,
        },
        maxCategories: settings.maxCategories,
        microBatch: ranking.microBatch,
      },
      optimiser: settings,
    },
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
      const { schedule: kind, warmupSteps, encoderRate, headRate } = settings;
      const share = rateShare(step, { kind, warmupSteps, steps: plan.steps });
      return { encoder: encoderRate * share, head: headRate * share };
    },
    rows: trainingRows(places.snapshots),
    async load(numbers, images, { step, shard }, signal) {
      const source = await sources.of('train');
      const { hidden, global, failed } = await source.read(numbers, images, signal);
      const known = (own: readonly number[]) =>
        own.map((category) => seenOf.get(category)).filter((i) => i !== undefined);
      const labels = images.map(({ present, absent }, i) =>
        failed.has(i) ? null : { present: known(present), absent: absent && known(absent) },
      );
      return {
        batch: { hidden, global, labels, sample: [settings.seed, shard, step] },
        images: images.length,
        failed: [...failed.values()],
      };
    },
    async validate(values: Parameters, report, signal) {
      const images = plan.validationImages;
      return validateRanking({
        scorer: await device.scorer({ ...common, text, edges: ranking.edges.map(indexedEdge) }, values),
        rows: await readSnapshotRows(places.snapshots, snapshotFolder('validation'), 0, images),
        source: await sources.of('validation'),
        categories: text.length / d,
        seen: ranking.seen,
        score: settings.validationScore,
        report,
        signal,
      });
    },
    close: () => sources.close(),
  };
}

/** Where the activations of each snapshot come from, opened when first needed. */
class ActivationSources {
  private readonly options: RankingTaskOptions;
  private readonly open = new Map<SnapshotName, Promise<ActivationSource>>();
  private encoder: Promise<SharedEncoder> | undefined;

  constructor(options: RankingTaskOptions) {
    this.options = options;
  }

  of(snapshot: SnapshotName): Promise<ActivationSource> {
    let source = this.open.get(snapshot);
    if (!source) {
      this.open.set(snapshot, (source = this.create(snapshot)));
      source.catch(() => this.open.delete(snapshot));
    }
    return source;
  }

  async close(): Promise<void> {
    await (await this.encoder?.catch(() => undefined))?.release();
  }

  private async create(snapshot: SnapshotName): Promise<ActivationSource> {
    const { places, prepared, model, concurrency } = this.options;
    const kept = prepared.ranking!.features.find((features) => features.snapshot === snapshot);
    if (!kept) return this.computed();
    return keptActivations({
      artifacts: places.artifacts,
      hash: kept.hash,
      pieceImages: kept.pieceImages,
      shape: activationShape(model),
      concurrency,
    });
  }

  private async computed(): Promise<ActivationSource> {
    const { device, model, prepared, settings, loader } = this.options;
    const key = `${prepared.model} ${settings.trainedBlocks}`;
    this.encoder ??= device.activationEncoder(key, model, settings.trainedBlocks);
    const side = model.preprocess.cropSize;
    return computedActivations(loader, await this.encoder, activationShape(model), side * side * 3);
  }
}

const indexedEdge = ([
  source,
  target,
  relation,
  strength,
]: PreparedRanking['edges'][number]): IndexedEdge => ({
  source,
  target,
  relation,
  strength,
});

/** The edges between seen categories, by their indices among these. */
function edgesAmong({ edges }: PreparedRanking, seenOf: ReadonlyMap<number, number>): IndexedEdge[] {
  return edges.map(indexedEdge).flatMap((edge) => {
    const [source, target] = [seenOf.get(edge.source), seenOf.get(edge.target)];
    return source === undefined || target === undefined ? [] : [{ ...edge, source, target }];
  });
}

function rowsOf(matrix: Float32Array, d: number, rows: readonly number[]): Float32Array {
  const chosen = new Float32Array(rows.length * d);
  for (const [i, row] of rows.entries()) chosen.set(matrix.subarray(row * d, (row + 1) * d), i * d);
  return chosen;
}

const shapeOf = ({ layers, heads, hidden }: NonNullable<PreparedRanking['headShape']>) =>
  hidden === undefined ? { layers, heads } : { layers, heads, hidden };
