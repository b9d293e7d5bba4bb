/** What a retraining would do, without doing it: the same names and plans, with what is missing made in a temporary folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GRAPH_FILE } from '../../data/graph/graphLayout.ts';
import { graphHash, parseGraph } from '../../data/graphFile.ts';
import { artifactsUri, freshly } from '../../data/retrain/artifacts.ts';
import { readPipeline } from '../../data/retrain/pipeline.ts';
import { STAGES, type Stage } from '../../data/retrain/stages.ts';
import { claimRun } from '../../data/run/claim.ts';
import { GRAPH, SUCCESS } from '../../data/run/layout.ts';
import { runIdOf, type GraphRecord, type RetrainRecord } from '../../data/run/record.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Snapshots } from '../../data/dataset/snapshot.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { Survey, SurveyedStage, SurveyInput } from '../../workflows/retrain/retrainTypes.ts';
import { finishGraph } from '../graph/finishGraph.ts';
import { planGraph } from '../graph/planGraph.ts';
import type { Inference } from '../tag/dependencies.ts';
import { keptFeatures, withExtracted } from '../train/features/planFeatures.ts';
import { roundsOf } from '../train/prepare/roundsOf.ts';
import {
  contentHashes,
  readPublished,
  snapshotArtifact,
  snapshotsOf,
  writeData,
  type FreezingScope,
} from './freezeData.ts';
import { pipelineCategories, productionOf, startingModel, type Pipeline } from './openPipeline.ts';
import { lastPaces } from './paces.ts';
import { evaluationArtifact, graphArtifact, trainingArtifact } from './stageArtifacts.ts';
import { graphSpec } from './stageRuns.ts';
import { refuseTestedTwice } from './testedApart.ts';

export interface SurveyDependencies {
  openStore: Pipeline['openStore'];
  inference: Inference;
  resolveModel(uri: string): Promise<{ dir: string; hash: string }>;
}

type Found = Omit<SurveyedStage, 'stage' | 'seconds'>;

/** Surveys a frozen pipeline. What it finds of paces is that of the last run in the same store. */
export async function surveyRetrain(
  { pipeline: uri, from }: SurveyInput,
  dependencies: SurveyDependencies,
  scope: FreezingScope,
): Promise<Survey> {
  const { openStore } = dependencies;
  const frozen = openStore(uri);
  const spec = { ...(await readPipeline(frozen)), from };
  const record: RetrainRecord = {
    ...{
      version: 1,
      kind: 'retrain',
      id: runIdOf('retrain', uri),
      createdAt: new Date().toISOString(),
      spec,
    },
  };
  const model = await startingModel(spec, openStore);
  const pipeline: Pipeline = { output: frozen, record, spec, model, openStore };
  const folder = await mkdtemp(join(tmpdir(), 'c2srt-survey-'));
  try {
    const snapshotUri = await snapshotArtifact(pipeline);
    const known = await snapshotsOf(openStore(snapshotUri));
    const data = known ? openStore(snapshotUri) : openStore(join(folder, 'snapshot'));
    const indices = known ?? (await writeData(pipeline, data, scope));
    const content = contentHashes(indices);
    const published = await readPublished(pipeline, content);
    if (!published) await refuseTestedTwice(pipeline, data, scope);
    const found = await surveyStages({
      ...{ pipeline, indices, isFrozen: known !== undefined, snapshotUri: data.uri, dependencies },
      scope: { ...scope, folder },
    });
    const paces = await lastPaces(openStore(spec.store));
    return {
      unchanged: published?.uri ?? null,
      stages: STAGES.map((stage) => {
        const { state, units } = found[stage];
        const pace = paces.get(stage);
        const seconds = state === 'runs' && units !== null && pace !== undefined ? units * pace : null;
        return { stage, ...found[stage], seconds };
      }),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface StagesOptions {
  pipeline: Pipeline;
  indices: Snapshots;
  /** Whether the training data is frozen already; and the folder that has it, else as it would be. */
  isFrozen: boolean;
  snapshotUri: string;
  dependencies: SurveyDependencies;
  scope: FreezingScope & { folder: string };
}

async function surveyStages({
  pipeline,
  indices,
  isFrozen,
  snapshotUri,
  dependencies,
  scope,
}: StagesOptions): Promise<Record<Stage, Found>> {
  const { spec, model, openStore } = pipeline;
  const { train, validation } = indices;
  const content = contentHashes(indices);
  const isThere = async (uri: string) => (await openStore(uri).head(SUCCESS)) !== undefined;
  const images = train.images + validation.images;
  const nothing = { units: null, tokens: null };

  const graphUri = await graphArtifact(pipeline, content);
  const hasGraph = await isThere(graphUri);
  const surveyed = hasGraph ? undefined : await surveyGraph(pipeline, snapshotUri, dependencies, scope);
  const graph = hasGraph ? await hashOfGraph(openStore(graphUri)) : surveyed?.graph;
  const training = graph === undefined ? undefined : await trainingArtifact(pipeline, content, graph);
  const hasTraining = training !== undefined && (await isThere(training));
  const { steps, rounds, shards, batchSize } = roundsOf(spec.settings.train, indices);
  const evaluation =
    training === undefined
      ? undefined
      : await evaluationArtifact(pipeline, content, training, await productionOf(spec, openStore));
  const hasEvaluation = evaluation !== undefined && hasTraining && (await isThere(evaluation));
  // Answers that are yet to come may make a graph that was trained with before.
  const state = (has: boolean): Found['state'] => (has ? 'reused' : graph === undefined ? 'unknown' : 'runs');
  const tested = spec.test === null ? 0 : await countImages(spec.test, scope.signal);
  const trained = steps * shards * batchSize;

  const { dir, hash } = await dependencies.resolveModel(model);
  const kept = keptFeatures(
    {
      model: { uri: model, hash, folder: openModelFolder(dir) },
      settings: spec.settings.train,
      fingerprint: dependencies.inference.fingerprint,
    },
    indices,
  );
  const features = await withExtracted(openStore(artifactsUri(spec.store)), kept);
  const isAgain = freshly('features', spec.from, pipeline.record.id).run !== undefined;
  const missing = features.filter(({ extracted }) => isAgain || !extracted);
  const missingImages = missing.reduce((sum, own) => sum + own.images, 0);
  const missingBytes = missing.reduce((sum, own) => sum + own.sizeBytes, 0);

  return {
    snapshot: {
      ...nothing,
      state: isFrozen ? 'reused' : 'runs',
      work: `${train.images} images, ${validation.images} held back`,
      units: images,
    },
    features: {
      ...nothing,
      state: features.length === 0 ? 'skipped' : missing.length === 0 ? 'reused' : 'runs',
      work:
        features.length === 0
          ? 'computed as they are needed'
          : `${missingImages} images, ${(missingBytes / 2 ** 30).toFixed(2)} GiB`,
      units: missingImages,
    },
    graph: surveyed?.found ?? { ...nothing, state: 'reused', work: '' },
    train: {
      ...nothing,
      state: state(hasTraining),
      work: `${rounds} rounds of ${shards} shards, ${trained} images in all`,
      units: trained,
    },
    evaluate: {
      ...nothing,
      state: state(hasEvaluation),
      work:
        spec.test === null
          ? `${validation.images} images`
          : `${tested} images, calibrated on ${validation.images}`,
      units: tested + validation.images,
    },
    gate: {
      ...nothing,
      state: 'runs',
      work: `${spec.settings.gate.rules.length} rules`,
    },
    approval: {
      ...nothing,
      state: spec.approvalHours === null ? 'skipped' : 'runs',
      work: spec.approvalHours === null ? 'not asked for' : `within ${spec.approvalHours} hours`,
    },
    publish: { ...nothing, state: 'runs', work: `${spec.name}@${spec.alias}` },
    tag: {
      ...nothing,
      state: spec.tag === null ? 'skipped' : 'runs',
      work: spec.tag === null ? 'nothing to tag' : spec.tag.source,
    },
  };
}

async function countImages(manifest: string, signal: AbortSignal): Promise<number> {
  let images = 0;
  for await (const _ of readManifest(manifest, { kind: 'labels', signal })) images++;
  return images;
}

const hashOfGraph = async (folder: ObjectStore): Promise<string> =>
  graphHash(parseGraph((await folder.get(GRAPH_FILE)).body, folder.describeKey(GRAPH_FILE)));

/**
 * The questions to come, chosen as the graph's own run would choose them; where there are none, the graph is made, in the
 * temporary folder, to learn what depends on it.
 *
 * @param snapshot URI of the folder that has the training data
 */
async function surveyGraph(
  pipeline: Pipeline,
  snapshot: string,
  { openStore, inference, resolveModel }: SurveyDependencies,
  { folder, report, signal }: FreezingScope & { folder: string },
): Promise<{ found: Found; graph?: string }> {
  const { settings, graph: given } = pipeline.spec;
  const { provider } = settings.graph;
  const categories = await pipelineCategories(pipeline);
  const output = openStore(join(folder, 'graph'));
  const record: GraphRecord = {
    version: 1,
    kind: 'graph',
    id: runIdOf('graph', output.uri),
    createdAt: new Date().toISOString(),
    spec: graphSpec(pipeline, snapshot),
  };
  const graph =
    given === null ? undefined : { json: Buffer.from((await pipeline.output.get(GRAPH)).body).toString() };
  await claimRun(output, { categories, graph }, record);
  const { calls, cached, mostTokens } = await planGraph({
    output,
    record,
    openModel: async (uri) => openModelFolder((await resolveModel(uri)).dir),
    inference,
    openStore,
    report,
    signal,
  });
  const asking = provider === 'llm';
  const found: Found = {
    state: 'runs',
    work: asking
      ? `${calls} questions to ${settings.graph.llm ?? 'a language model'}, ${cached} answered before`
      : `${provider}, ${categories.length} categories`,
    units: calls,
    tokens: asking ? { input: calls * mostTokens.input, output: calls * mostTokens.output } : null,
  };
  if (calls > 0) return { found };
  await finishGraph({ output, record, openStore, prices: { input: 0, output: 0 }, report });
  return { found, graph: await hashOfGraph(output) };
}
