/**
 * A pipeline frozen in its store: the specification of its retrainings and the files that they need, so that a schedule
 * goes on with what it was made with, on any worker.
 */
import { createHash } from 'node:crypto';
import type { Category } from '../categories.ts';
import { CATEGORIES, GRAPH } from '../run/layout.ts';
import { claimRunFolder, runIdOf, type RetrainRecord } from '../run/record.ts';
import { probeConditionalPuts } from '../store/probe.ts';
import { readJson } from '../store/json.ts';
import { joinUri } from '../store/open.ts';
import type { ObjectStore } from '../store/store.ts';
import { TAG_CATEGORIES } from './retrainLayout.ts';
import { retrainSpecSchema, type RetrainSpec } from './retrainSpec.ts';

const PIPELINE = 'pipeline.json';

/** Files that a pipeline's runs have copies of. */
const INPUTS = [CATEGORIES, GRAPH, TAG_CATEGORIES];

export interface PipelineInputs {
  categories: readonly Category[];
  /** A category graph as JSON, with graph provider `file`. */
  graph: string | undefined;
  /** What a published model tags with. */
  tagCategories: readonly Category[] | undefined;
}

type OpenStore = (uri: string) => ObjectStore;

/** Writes a pipeline into its store, under a name made of its content; returns the URI of its folder. */
export async function writePipeline(
  spec: RetrainSpec,
  { categories, graph, tagCategories }: PipelineInputs,
  openStore: OpenStore,
): Promise<string> {
  const files = new Map<string, string>([
    [CATEGORIES, JSON.stringify(categories, null, 1)],
    ...(graph === undefined ? [] : [[GRAPH, graph] as const]),
    ...(tagCategories ? [[TAG_CATEGORIES, JSON.stringify(tagCategories, null, 1)] as const] : []),
    // Last: a pipeline that has it is whole.
    [PIPELINE, JSON.stringify(spec, null, 1)],
  ]);
  const hash = createHash('sha256')
    .update(JSON.stringify([...files]))
    .digest('hex')
    .slice(0, 32);
  const folder = openStore(joinUri(spec.store, 'pipelines', hash));
  await probeConditionalPuts(folder);
  for (const [key, body] of files) await folder.put(key, body, { contentType: 'application/json' });
  return folder.uri;
}

/** A frozen pipeline. Throws `Store.NotFound`. */
export const readPipeline = async (folder: ObjectStore): Promise<RetrainSpec> =>
  retrainSpecSchema.parse(await readJson(folder, PIPELINE));

/** Makes a run of a frozen pipeline, in a folder of that name among the store's runs. */
export async function claimPipelineRun(
  pipeline: string,
  name: string,
  change: Partial<Pick<RetrainSpec, 'from'>>,
  openStore: OpenStore,
): Promise<{ output: string; id: string }> {
  const frozen = openStore(pipeline);
  const spec = { ...(await readPipeline(frozen)), ...change };
  const output = openStore(joinUri(spec.store, 'runs', name));
  const record: RetrainRecord = {
    version: 1,
    kind: 'retrain',
    id: runIdOf('retrain', output.uri),
    createdAt: new Date().toISOString(),
    spec,
  };
  for (const key of INPUTS)
    if (await frozen.head(key))
      await output.put(key, (await frozen.get(key)).body, { contentType: 'application/json' });
  await claimRunFolder(output, record);
  return { output: output.uri, id: record.id };
}

/** The run of a schedule's workflow, which has the time that it was started for in its id. */
export const claimScheduledRun = (
  pipeline: string,
  workflowId: string,
  openStore: OpenStore,
): Promise<{ output: string; id: string }> =>
  claimPipelineRun(pipeline, workflowId.replace(/[^A-Za-z0-9._-]+/g, '-'), {}, openStore);
