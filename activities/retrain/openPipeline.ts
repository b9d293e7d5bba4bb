import { parseCategories, type Category } from '../../data/categories.ts';
import { Failure } from '../../data/failure.ts';
import { readAlias } from '../../data/models/alias.ts';
import { modelsUri } from '../../data/retrain/artifacts.ts';
import { readPinned, putPinned } from '../../data/retrain/pinned.ts';
import { modelState } from '../../data/retrain/objectState.ts';
import type { RetrainSpec } from '../../data/retrain/retrainSpec.ts';
import { CATEGORIES } from '../../data/run/layout.ts';
import type { RetrainRecord } from '../../data/run/record.ts';
import { otherKind, requireRun } from '../../data/run/requireRun.ts';
import { joinUri } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** A retraining's run as its activities need it. */
export interface Pipeline {
  output: ObjectStore;
  record: RetrainRecord;
  spec: RetrainSpec;
  /** URI of the model that training starts from: the same in all executions of the run. */
  model: string;
  openStore(uri: string): ObjectStore;
}

/** Opens a retraining's run. Throws `Run.NotFound`, `Run.OtherKind`. */
export async function openPipeline(uri: string, openStore: (uri: string) => ObjectStore): Promise<Pipeline> {
  const output = openStore(uri);
  const record = await requireRun(output);
  if (record.kind !== 'retrain') throw otherKind(output, record, 'retrain');
  const { spec } = record;
  const pinned = await readPinned(output);
  const { model } = pinned ?? (await putPinned(output, { model: await startingModel(spec, openStore) }));
  return { output, record, spec, model, openStore };
}

/** URI of the model that a run that begins now trains from. */
export async function startingModel(
  spec: RetrainSpec,
  openStore: (uri: string) => ObjectStore,
): Promise<string> {
  const production = spec.startFrom === 'production' ? await productionOf(spec, openStore) : null;
  return production ?? spec.model;
}

/** URI of the model that the pipeline's alias names; null where there is none yet. */
export async function productionOf(
  { store, name, alias }: RetrainSpec,
  openStore: (uri: string) => ObjectStore,
): Promise<string | null> {
  const models = modelsUri(store, name);
  const named = await readAlias(openStore(models), alias);
  return named ? joinUri(models, named.model) : null;
}

export async function pipelineCategories({ output }: Pipeline, key = CATEGORIES): Promise<Category[]> {
  return parseCategories((await output.get(key)).body, key);
}

/** {@link modelState} of the model that training starts from. Throws `Model.NotFound` where it has no files. */
export async function startState({ model, openStore }: Pipeline): Promise<[string, string][] | string> {
  const state = await modelState(model, openStore);
  if (state.length > 0) return state;
  throw new Failure('Model.NotFound', `${model} has no files of a model.`, {
    subject: model,
    retryable: false,
  });
}
