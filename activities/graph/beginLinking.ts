import { claimRun } from '../../data/run/claim.ts';
import { LINKING, SUCCESS } from '../../data/run/layout.ts';
import { runIdOf, type GraphRecord, type TagRecord } from '../../data/run/record.ts';
import { joinUri } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { StageRun } from '../../workflows/retrain/retrainTypes.ts';
import { readCategories } from '../prepare.ts';

/**
 * Makes the folder inside a tag run's that extends the model's graph by the run's categories. Returns that run; null
 * where there is none: the tag run names a graph or leaves the links to WordNet, or the model's head is untrained and
 * passes no messages.
 */
export async function beginLinking(
  { spec: { link, graph, vocabulary, model: modelUri } }: TagRecord,
  outputUri: string,
  model: ModelFolder,
  openStore: (uri: string) => ObjectStore,
): Promise<StageRun | null> {
  if (link === undefined || graph !== null || model.head === undefined) return null;
  const uri = joinUri(outputUri, LINKING);
  const folder = openStore(uri);
  const id = runIdOf('graph', uri);
  if (await folder.head(SUCCESS)) return { id, uri, finished: true };
  const record: GraphRecord = {
    version: 1,
    kind: 'graph',
    id,
    createdAt: new Date().toISOString(),
    spec: { vocabulary, model: modelUri, extend: true, graph: null, snapshot: null, ...link },
  };
  await claimRun(folder, { categories: await readCategories(openStore(outputUri)) }, record);
  return { id, uri, finished: false };
}
