import { createHash } from 'node:crypto';
import { isSeen } from '../../../data/categories.ts';
import type { SnapshotIndex } from '../../../data/dataset/snapshot.ts';
import { Failure } from '../../../data/failure.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import type { TrainSettings } from '../../../data/config/trainSchema.ts';
import type { TrainRecord } from '../../../data/run/record.ts';
import {
  PREPARED_GRAPH,
  PREPARED_TEXT,
  SNAPSHOTS,
  START,
  type SnapshotName,
} from '../../../data/training/trainLayout.ts';
import { encodeSafetensors, readFloats } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { subgraph } from '../../../data/subgraph.ts';
import { initialHead } from '../../../model/head/initialise.ts';
import type { HeadShape } from '../../../model/head/head.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { activationBytes, activationShape } from '../../../model/ranking/activations.ts';
import { encoderParameters, type Parameters } from '../../../model/train/parameters.ts';
import { microBatchFor } from '../../../model/ranking/stepMemory.ts';
import type { TrainPlan } from '../../../workflows/trainTypes.ts';
import { categoryGraph, readCategories, seenCategories } from '../../prepare.ts';
import type { TrainingDevice } from '../dependencies.ts';
import { commitPlan, readPrepared, type Prepared, type PreparedRanking } from './prepared.ts';
import { requireSnapshots, roundsOf } from './roundsOf.ts';
import { encodeMerged } from '../rounds/roundStates.ts';

/** Changes whenever the meaning of kept features does. */
const FEATURES_VERSION = 1;

/** About the size of a piece of features, and the most images in one. */
const PIECE_BYTES = 256 * 2 ** 20;
const PIECE_IMAGES = 1024;

export interface PrepareOptions {
  output: ObjectStore;
  record: Extract<TrainRecord, { kind: 'train' }>;
  model: ModelFolder;
  /** The model folder's hash. */
  hash: string;
  device: TrainingDevice;
}

/**
 * Decides how a training is cut up and writes what its shards begin with: text features, category graph, first
 * parameters. The plan goes last, and of several attempts the first one's counts.
 */
export async function prepareTraining(options: PrepareOptions): Promise<TrainPlan> {
  const { output, record, model, hash, device } = options;
  const known = await readPrepared(output);
  if (known) return known.plan;
  const { settings } = record.spec;
  const snapshots = await requireSnapshots(output);
  refuseHeads(model, settings);

  const categories = await readCategories(output);
  const seen = categories.flatMap((category, i) => (isSeen(category) ? [i] : []));
  const names = categories.map(({ name }) => name);
  const graph = await categoryGraph(output, record.spec.graph, model, categories, [
    ...seenCategories(model),
    ...seen.map((i) => categories[i]!),
  ]);
  const { edges } = subgraph(graph, names, new Set(names), settings.layers);
  const text = await device.encodeCategories(model, categories);
  const d = model.config.projection_dim;
  await output.put(
    PREPARED_TEXT,
    encodeSafetensors({ text: { shape: [categories.length, d], values: text } }),
  );
  await output.put(PREPARED_GRAPH, JSON.stringify(graph), { contentType: 'application/json' });

  const headShape = headShapeOf(settings, d);
  const parameters = startParameters(model, settings, headShape);
  await output.put(START, encodeMerged({ parameters, momentum: new Map() }));

  const bytesPerImage = activationBytes(activationShape(model));
  const pieceImages = Math.max(1, Math.min(PIECE_IMAGES, Math.floor(PIECE_BYTES / bytesPerImage)));
  const prepared: Prepared = {
    version: 1,
    model: hash,
    fingerprint: { ...device.fingerprint },
    plan: {
      ...roundsOf(settings, snapshots),
      features: featuresOf(options, snapshots, bytesPerImage, pieceImages),
    },
    ranking: {
      head: headSettings(settings),
      headShape: headShape ?? null,
      seen,
      edges: edges.map(({ source, target, relation, strength }) => [source, target, relation, strength]),
      microBatch: settings.microBatch ?? microBatchOf(model, settings, headShape, seen.length, edges),
      pieceImages,
    },
  };
  return commitPlan(output, prepared);
}

/** Snapshots whose activations are kept: by configuration, or where they are small enough. */
function featuresOf(
  { record, hash, device }: PrepareOptions,
  snapshots: Record<SnapshotName, SnapshotIndex>,
  bytesPerImage: number,
  pieceImages: number,
): TrainPlan['features'] {
  const { cache, cacheLimitGiB, trainedBlocks, validationLimit } = record.spec.settings;
  const features = SNAPSHOTS.map((snapshot) => {
    const all = snapshots[snapshot].images;
    const images = snapshot === 'validation' ? Math.min(all, validationLimit) : all;
    const meaning = [
      FEATURES_VERSION,
      hash,
      trainedBlocks,
      snapshots[snapshot].hash,
      pieceImages,
      DEFAULT_IMAGE_LIMITS,
      device.fingerprint,
    ];
    return {
      hash: createHash('sha256').update(JSON.stringify(meaning)).digest('hex').slice(0, 32),
      snapshot,
      pieces: Math.ceil(images / pieceImages),
      sizeBytes: images * bytesPerImage,
    };
  });
  const total = features.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const isKept = cache === 'always' || (cache === 'auto' && total <= cacheLimitGiB * 2 ** 30);
  return isKept ? features.filter(({ pieces }) => pieces > 0) : [];
}

const headSettings = ({ form, isr, patches, tau, alpha, cap }: TrainSettings): PreparedRanking['head'] => ({
  form,
  isr,
  patches,
  tau,
  alpha,
  cap,
});

/** The sizes of the head to train; undefined where nothing of it is left. */
function headShapeOf({ form, ist, layers, heads, hidden }: TrainSettings, d: number): HeadShape | undefined {
  if (form === 'anchored') return ist ? { layers, heads } : undefined;
  return { layers: ist ? layers : 0, heads, hidden: hidden ?? d };
}

/** The encoder's trained parameters, and the starting model's head where it has the same form and sizes, else a new one. */
function startParameters(
  model: ModelFolder,
  { form, trainedBlocks, seed }: TrainSettings,
  shape: HeadShape | undefined,
): Parameters {
  const { config, tensors, head } = model;
  const parameters = encoderParameters(tensors, config.vision_config.num_hidden_layers, trainedBlocks);
  if (!shape) return parameters;
  const isSame =
    head !== undefined &&
    config.c2srt.form === form &&
    head.layers === shape.layers &&
    head.heads === shape.heads &&
    head.hidden === shape.hidden;
  for (const [name, initial] of initialHead(form, shape, config.projection_dim, seed)) {
    const known = isSame ? tensors.get(name) : undefined;
    parameters.set(name, known ? { shape: known.shape, values: readFloats(known) } : initial);
  }
  return parameters;
}

function microBatchOf(
  model: ModelFolder,
  settings: TrainSettings,
  headShape: HeadShape | undefined,
  seen: number,
  edges: readonly { target: number }[],
): number {
  const { trainedBlocks, maxCategories, batchSize } = settings;
  const { config } = model;
  const degrees = new Map<number, number>();
  for (const { target } of edges) degrees.set(target, (degrees.get(target) ?? 0) + 1);
  const { tokens, width, d } = activationShape(model);
  return microBatchFor(
    {
      tokens,
      width,
      intermediate: config.vision_config.intermediate_size,
      attentionHeads: config.vision_config.num_attention_heads,
      blocks: trainedBlocks,
      nodes: Math.min(seen, maxCategories),
      edges: 1 + Math.max(0, ...degrees.values()),
      d,
      layers: headShape?.layers ?? 0,
    },
    batchSize,
  );
}

/** What no graph could be built of. */
function refuseHeads(model: ModelFolder, { ist, heads, trainedBlocks }: TrainSettings): void {
  const d = model.config.projection_dim;
  const blocks = model.config.vision_config.num_hidden_layers;
  if (ist && d % heads !== 0)
    throw new Failure(
      'Train.Settings',
      `heads is ${heads}, which does not divide the joint dimension ${d}.`,
      {
        retryable: false,
      },
    );
  if (trainedBlocks > blocks)
    throw new Failure(
      'Train.Settings',
      `trainedBlocks is ${trainedBlocks}; the encoder has ${blocks} blocks.`,
      {
        retryable: false,
      },
    );
}
