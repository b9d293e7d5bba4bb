import { stageReceiptKey } from '../../data/retrain/retrainLayout.ts';
import { readStageReceipts } from '../../data/retrain/stageReceipt.ts';
import { STAGES, type Stage } from '../../data/retrain/stages.ts';
import { joinUri, openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** Runs that are looked at, latest first, for a stage that each of them has done. */
const RUNS = 20;

/** Seconds per unit of work of each stage, in the last run that did it. */
export async function lastPaces(store: ObjectStore): Promise<Map<Stage, number>> {
  const runs: { uri: string; endedMs: number }[] = [];
  const last = stageReceiptKey('snapshot');
  for await (const { key, lastModifiedMs } of store.list({ prefix: 'runs/' }))
    if (key.endsWith(`/${last}`))
      runs.push({ uri: joinUri(store.uri, key.slice(0, -last.length - 1)), endedMs: lastModifiedMs });
  runs.sort((a, b) => b.endedMs - a.endedMs);
  const paces = new Map<Stage, number>();
  for (const { uri } of runs.slice(0, RUNS)) {
    if (paces.size === STAGES.length) break;
    for (const { stage, state, seconds, units } of await readStageReceipts(openStore(uri)))
      if (state === 'done' && units > 0 && !paces.has(stage)) paces.set(stage, seconds / units);
  }
  return paces;
}
