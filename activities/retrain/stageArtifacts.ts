/** URIs of the artifacts that runs make for a pipeline, by all that determines them. */
import { artifactUri, freshly } from '../../data/retrain/artifacts.ts';
import { modelState, objectState } from '../../data/retrain/objectState.ts';
import { startState, type Pipeline } from './openPipeline.ts';

/** @param content hashes of the snapshots, of images to train on and of those held back */
export async function graphArtifact(pipeline: Pipeline, content: readonly string[]): Promise<string> {
  const { spec, record } = pipeline;
  const { vocabulary, graph, from, settings } = spec;
  const { provider } = settings.graph;
  return artifactUri(spec.store, 'graph', {
    vocabulary,
    graph,
    settings: settings.graph,
    labels: provider === 'wordnet' ? content[0] : null,
    model: provider === 'llm' ? await startState(pipeline) : null,
    ...freshly('graph', from, record.id),
  });
}

/** @param graph hash of the category graph */
export async function trainingArtifact(
  pipeline: Pipeline,
  content: readonly string[],
  graph: string,
): Promise<string> {
  const { spec, record } = pipeline;
  return artifactUri(spec.store, 'train', {
    content,
    vocabulary: spec.vocabulary,
    graph,
    model: await startState(pipeline),
    settings: spec.settings.train,
    ...freshly('train', spec.from, record.id),
  });
}

/** @param training URI of the candidate; `production` of the model that it is compared with */
export async function evaluationArtifact(
  { spec, record, openStore }: Pipeline,
  content: readonly string[],
  training: string,
  production: string | null,
): Promise<string> {
  return artifactUri(spec.store, 'evaluate', {
    training,
    production,
    test: spec.test === null ? null : [spec.test, await objectState(spec.test, openStore)],
    content,
    base: await modelState(spec.model, openStore),
    settings: spec.settings.evaluate,
    ...freshly('evaluate', spec.from, record.id),
  });
}
