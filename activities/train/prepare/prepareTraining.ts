import { isSeen } from '../../../data/categories.ts';
import { Failure } from '../../../data/failure.ts';
import type { TrainSettings } from '../../../data/config/trainSchema.ts';
import type { TrainRecord } from '../../../data/run/record.ts';
import { PREPARED_GRAPH, PREPARED_TEXT, START } from '../../../data/training/trainLayout.ts';
import type { TrainPlaces } from '../../../data/training/trainPlaces.ts';
import { encodeSafetensors, readFloats } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { subgraph } from '../../../data/subgraph.ts';
import { initialHead } from '../../../model/head/initialise.ts';
import type { HeadShape } from '../../../model/head/head.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { activationShape } from '../../../model/ranking/activations.ts';
import { encoderParameters, type Parameters } from '../../../model/train/parameters.ts';
import { microBatchFor } from '../../../model/ranking/stepMemory.ts';
import { extendByWordnet, givenGraph, readCategories, seenCategories } from '../../prepare.ts';
import type { TrainingDevice } from '../dependencies.ts';
import { planFeatures } from '../features/planFeatures.ts';
import { commitPrepared, readPrepared, type Prepared, type PreparedRanking } from './prepared.ts';
import { requireSnapshots, roundsOf } from './roundsOf.ts';
import { encodeMerged } from '../rounds/roundStates.ts';

export interface PrepareOptions {
  output: ObjectStore;
  places: TrainPlaces;
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
export async function prepareTraining(options: PrepareOptions): Promise<Prepared> {
  const { output, places, record, model, hash, device } = options;
  const known = await readPrepared(output);
  if (known) return known;
  const { settings } = record.spec;
  const snapshots = await requireSnapshots(places.snapshots);
  refuseHeads(model, settings);

  const categories = await readCategories(output);
  const seen = categories.flatMap((category, i) => (isSeen(category) ? [i] : []));
  const names = categories.map(({ name }) => name);
  const sources = [...seenCategories(model), ...seen.map((i) => categories[i]!)];
  const graph = (await givenGraph(output, record.spec)) ?? extendByWordnet(model, categories, sources);
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

  const features = await planFeatures({
    places,
    model: { uri: record.spec.model, hash, folder: model },
    settings,
    fingerprint: device.fingerprint,
  });
  const prepared: Prepared = {
    version: 1,
    model: hash,
    fingerprint: { ...device.fingerprint },
    plan: roundsOf(settings, snapshots),
    ranking: {
      head: headSettings(settings),
      headShape: headShape ?? null,
      seen,
      edges: edges.map(({ source, target, relation, strength }) => [source, target, relation, strength]),
      microBatch: settings.microBatch ?? microBatchOf(model, settings, headShape, seen.length, edges),
      features,
    },
  };
  return commitPrepared(output, prepared);
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
