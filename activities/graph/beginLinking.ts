import { claimRun } from '../../data/run/claim.ts';
import { SUCCESS, vocabularyInputs } from '../../data/run/layout.ts';
import { runIdOf, type GraphRecord, type TagRecord } from '../../data/run/record.ts';
import { joinUri } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';
import type { StageRun } from '../../workflows/retrain/retrainTypes.ts';
import { readCategories } from '../prepare.ts';

/**
 * Makes the folder inside a tag run's that extends the model's graph by the categories of a vocabulary, the first whose
 * graph is not there yet. Returns that run; null where none is left to do: vocabularies have or name a graph, the tag run
 * leaves the links to WordNet, or the model's head is untrained and passes no messages.
 */
export async function beginLinking(
  { spec: { link, vocabularies, model: modelUri } }: TagRecord,
  outputUri: string,
  model: ModelFolder,
  openStore: (uri: string) => ObjectStore,
): Promise<StageRun | null> {
  if (link === undefined || model.head === undefined) return null;
  for (const { name, graph, categories: vocabulary } of vocabularies) {
    if (graph !== null) continue;
    const keys = vocabularyInputs(name);
    const uri = joinUri(outputUri, keys.linking);
    const folder = openStore(uri);
    if (await folder.head(SUCCESS)) continue;
    const id = runIdOf('graph', uri);
    const record: GraphRecord = {
      version: 1,
      kind: 'graph',
      id,
      createdAt: new Date().toISOString(),
      spec: { vocabulary, model: modelUri, extend: true, graph: null, snapshot: null, ...link },
    };
    const categories = await readCategories(openStore(outputUri), keys.categories);
    await claimRun(folder, { categories }, record);
    return { id, uri, finished: false };
  }
  return null;
}
