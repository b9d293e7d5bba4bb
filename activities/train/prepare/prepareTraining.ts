import { isSeen } from '../../../data/categories.ts';
import { Failure } from '../../../data/failure.ts';
import type { TrainSettings } from '../../../data/config/trainSchema.ts';
import type { TrainRecord } from '../../../data/run/record.ts';
import { PREPARED_GRAPH, PREPARED_TEXT, START } from '../../../data/training/trainLayout.ts';
import type { TrainPlaces } from '../../../data/training/trainPlaces.ts';
import { encodeSafetensors } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { subgraph } from '../../../data/subgraph.ts';
import type { ModelFolder } from '../../../model/modelFolder.ts';
import { headSettings, headShapeOf, microBatchOf, startParameters } from '../../../model/ranking/start.ts';
import { extendByWordnet, givenGraph, readCategories, seenCategories } from '../../prepare.ts';
import type { TrainingDevice } from '../dependencies.ts';
import { planFeatures } from '../features/planFeatures.ts';
import { commitPrepared, readPrepared, type Prepared } from './prepared.ts';
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
