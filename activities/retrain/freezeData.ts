import { z } from 'zod';
import { readSnapshotIndex, writeSnapshot, type Snapshots } from '../../data/dataset/snapshot.ts';
import { artifactUri, freshly } from '../../data/retrain/artifacts.ts';
import { objectState } from '../../data/retrain/objectState.ts';
import { putJsonOnce, readJsonIfThere } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { snapshotFolder, SNAPSHOTS } from '../../data/training/trainLayout.ts';
import type { FrozenData } from '../../workflows/retrain/retrainTypes.ts';
import { pipelineCategories, startState, type Pipeline } from './openPipeline.ts';
import { refuseTestedTwice } from './testedApart.ts';

/** URI of the artifact of a pipeline's training data, in the present state of its manifests. */
export async function snapshotArtifact({ spec, record, openStore }: Pipeline): Promise<string> {
  const { store, data, validation, vocabulary, from } = spec;
  const { unlisted, validationShare } = spec.settings.train;
  const stateOf = (uri: string | null) => uri && objectState(uri, openStore);
  return artifactUri(store, 'snapshot', {
    data: [data, await stateOf(data)],
    validation: [validation, await stateOf(validation)],
    vocabulary,
    unlisted,
    validationShare,
    ...freshly('snapshot', from, record.id),
  });
}

export interface FreezingScope {
  report(rows: number): void;
  signal: AbortSignal;
}

/** Freezes the training data of a pipeline in a folder, where it is not there yet. */
export async function writeData(
  pipeline: Pipeline,
  folder: ObjectStore,
  scope: FreezingScope,
): Promise<Snapshots> {
  const { data, validation, settings } = pipeline.spec;
  const { unlisted, validationShare } = settings.train;
  return writeSnapshot({
    ...scope,
    kind: 'labels',
    categories: await pipelineCategories(pipeline),
    unlisted,
    output: folder,
    data,
    validation,
    validationShare,
  });
}

/**
 * Freezes the training data of a pipeline, once per state of its manifests. Throws as `writeSnapshot` does, and as
 * {@link refuseTestedTwice}.
 */
export async function freezeData(pipeline: Pipeline, scope: FreezingScope): Promise<FrozenData> {
  const uri = await snapshotArtifact(pipeline);
  const folder = pipeline.openStore(uri);
  const reused = (await snapshotsOf(folder)) !== undefined;
  const { train, validation } = await writeData(pipeline, folder, scope);
  const published = await readPublished(pipeline, contentHashes({ train, validation }));
  if (!published) await refuseTestedTwice(pipeline, folder, scope);
  return {
    uri,
    reused,
    images: train.images,
    validationImages: validation.images,
    // What this run has published itself is no reason not to go on with what comes after.
    published: published && published.run !== pipeline.record.id ? published.uri : null,
  };
}

export async function snapshotsOf(folder: ObjectStore): Promise<Snapshots | undefined> {
  const [train, validation] = await Promise.all(
    SNAPSHOTS.map((name) => readSnapshotIndex(folder, snapshotFolder(name))),
  );
  return train && validation && { train, validation };
}

/** The hashes of both snapshots in an artifact's folder: the same images and labels have the same ones everywhere. */
export async function contentOf(uri: string, openStore: (uri: string) => ObjectStore): Promise<string[]> {
  const snapshots = await snapshotsOf(openStore(uri));
  return snapshots ? contentHashes(snapshots) : [];
}

export const contentHashes = ({ train, validation }: Snapshots): string[] => [train.hash, validation.hash];

const PUBLISHED = 'published.json';

const publishedSchema = z.object({ uri: z.string(), run: z.string(), publishedAt: z.iso.datetime() });

/** That a candidate was published, beside everything that determined it. */
export type PublishedCandidate = z.infer<typeof publishedSchema>;

/**
 * The model that came of the same data, test images, categories, settings and starting model and was published, whatever
 * has become of it: one that a person has rolled back is not to come again by itself.
 */
export async function readPublished(
  pipeline: Pipeline,
  content: readonly string[],
): Promise<PublishedCandidate | undefined> {
  const folder = await candidateFolder(pipeline, content);
  return publishedSchema.optional().parse(await readJsonIfThere(folder, PUBLISHED));
}

export async function putPublished(
  pipeline: Pipeline,
  content: readonly string[],
  published: PublishedCandidate,
): Promise<void> {
  const folder = await candidateFolder(pipeline, content);
  await putJsonOnce(folder, PUBLISHED, published, () => readPublished(pipeline, content));
}

/** A folder named by everything that determines the candidate and what it is judged by, before any of it is made. */
async function candidateFolder(pipeline: Pipeline, content: readonly string[]): Promise<ObjectStore> {
  const { spec, record, openStore } = pipeline;
  const { store, name, alias, test, vocabulary, graph, startFrom, from, settings } = spec;
  const inputs = {
    name,
    alias,
    content,
    test: test && (await objectState(test, openStore)),
    vocabulary,
    graph,
    // The model in production is another one after each publication: what is trained from it is the data's own.
    start: startFrom === 'production' ? startFrom : await startState(pipeline),
    settings,
    ...(from !== null && { run: record.id }),
  };
  return openStore(artifactUri(store, 'candidate', inputs));
}
