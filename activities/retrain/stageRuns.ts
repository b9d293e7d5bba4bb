/** Folders of the runs that make a pipeline's artifacts: each is written before its workflow starts. */
import { graphHash, parseGraph } from '../../data/graphFile.ts';
import type { GraphSpec } from '../../data/graph/graphSpec.ts';
import { GRAPH_FILE } from '../../data/graph/graphLayout.ts';
import { answersUri, artifactsUri } from '../../data/retrain/artifacts.ts';
import { TAG_CATEGORIES } from '../../data/retrain/retrainLayout.ts';
import { claimRun, type RunInputs } from '../../data/run/claim.ts';
import { GRAPH, SUCCESS } from '../../data/run/layout.ts';
import { oneSource, readRunRecord, runIdOf, type RunRecord } from '../../data/run/record.ts';
import { soleVocabulary } from '../../data/run/vocabularies.ts';
import { joinUri } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { snapshotFolder } from '../../data/training/trainLayout.ts';
import type { StageRun } from '../../workflows/retrain/retrainTypes.ts';
import { contentOf } from './freezeData.ts';
import { pipelineCategories, productionOf, type Pipeline } from './openPipeline.ts';
import { evaluationArtifact, graphArtifact, trainingArtifact } from './stageArtifacts.ts';

export async function beginGraph(pipeline: Pipeline, snapshot: string): Promise<StageRun> {
  const { output, spec, openStore } = pipeline;
  const uri = await graphArtifact(pipeline, await contentOf(snapshot, openStore));
  const graph =
    spec.graph === null ? undefined : { json: Buffer.from((await output.get(GRAPH)).body).toString() };
  const inputs = { categories: await pipelineCategories(pipeline), graph };
  return claimArtifact(pipeline, uri, inputs, { kind: 'graph', spec: graphSpec(pipeline, snapshot) });
}

/** @param snapshot URI of the folder whose labels are counted, where they are */
export function graphSpec({ spec, model }: Pipeline, snapshot: string): GraphSpec {
  const settings = spec.settings.graph;
  return {
    vocabulary: spec.vocabulary,
    model: settings.provider === 'llm' ? model : null,
    extend: false,
    graph: spec.graph,
    snapshot: settings.provider === 'wordnet' ? snapshot : null,
    cache: answersUri(spec.store),
    settings,
  };
}

export async function beginTraining(
  pipeline: Pipeline,
  snapshot: string,
  graphUri: string,
): Promise<StageRun> {
  const { spec, model, openStore } = pipeline;
  const graph = parseGraph((await openStore(graphUri).get(GRAPH_FILE)).body, joinUri(graphUri, GRAPH_FILE));
  const hash = graphHash(graph);
  const uri = await trainingArtifact(pipeline, await contentOf(snapshot, openStore), hash);
  const inputs = { categories: await pipelineCategories(pipeline), graph: { json: JSON.stringify(graph) } };
  return claimArtifact(pipeline, uri, inputs, {
    kind: 'train',
    spec: {
      data: spec.data,
      validation: spec.validation,
      vocabulary: spec.vocabulary,
      graph: hash,
      model,
      snapshot,
      artifacts: artifactsUri(spec.store),
      settings: spec.settings.train,
    },
  });
}

export async function beginEvaluation(
  pipeline: Pipeline,
  snapshot: string,
  training: string,
): Promise<StageRun> {
  const { spec, openStore } = pipeline;
  const production = await productionOf(spec, openStore);
  const held = joinUri(snapshot, snapshotFolder('validation').replace(/\/$/, ''));
  const content = await contentOf(snapshot, openStore);
  const uri = await evaluationArtifact(pipeline, content, training, production);
  return claimArtifact(
    pipeline,
    uri,
    { categories: await pipelineCategories(pipeline) },
    {
      kind: 'evaluate',
      spec: {
        // Without images of their own to test on, those held back are: nothing may be calibrated on them then.
        test: spec.test ?? held,
        validation: spec.test === null ? null : held,
        vocabulary: spec.vocabulary,
        graph: null,
        model: training,
        production,
        base: spec.model,
        settings: spec.settings.evaluate,
      },
    },
  );
}

/** The run in which the published model tags; it is no artifact, but this run's own. */
export async function beginTagging(pipeline: Pipeline, model: string): Promise<StageRun> {
  const { record, spec } = pipeline;
  const { source, vocabulary, out, ...limits } = spec.tag!;
  const categories = await pipelineCategories(pipeline, TAG_CATEGORIES);
  return claimArtifact(
    pipeline,
    joinUri(out, record.id),
    { categories },
    {
      kind: 'tag',
      spec: {
        ...oneSource(source),
        include: [],
        exclude: [],
        since: null,
        retry: null,
        vocabularies: [soleVocabulary(vocabulary)],
        model,
        embedding: false,
        ...limits,
      },
    },
  );
}

type Asked = RunRecord extends infer Kind
  ? Kind extends RunRecord
    ? Pick<Kind, 'kind' | 'spec'>
    : never
  : never;

/** The run in a folder, made where there is none: what lies there already was asked for by the same inputs. */
async function claimArtifact(
  { openStore }: Pipeline,
  uri: string,
  inputs: RunInputs,
  asked: Asked,
): Promise<StageRun> {
  const folder: ObjectStore = openStore(uri);
  const id = runIdOf(asked.kind, folder.uri);
  if (!(await readRunRecord(folder)))
    await claimRun(folder, inputs, { version: 1, id, createdAt: new Date().toISOString(), ...asked });
  return { uri: folder.uri, id, finished: (await folder.head(SUCCESS)) !== undefined };
}
