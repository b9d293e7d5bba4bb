import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { addCounts, noCounts, type Counts } from '../../data/run/counts.ts';
import { runLanes } from '../lanes.ts';
import { accounting, inference } from '../profiles.ts';
import { pauseShardsSignal, shardsDoneSignal } from '../signals.ts';
import type { CorpusActivities, TagActivities, TagShardsInput } from './tagTypes.ts';

/** At most one report to the parent in this time, so that its history does not grow with the number of shards. */
const REPORT_INTERVAL_MS = 5_000;

/**
 * Tags shards [from, to) of a run, a window of them at a time, and checks that all are whole.
 * A shard with a receipt is not tagged again, whichever execution put it there.
 */
export async function tagShards(input: TagShardsInput): Promise<void> {
  const { output, from, to, artifact, window, heartbeatTimeoutS } = input;
  const corpus = proxyActivities<CorpusActivities>(accounting(heartbeatTimeoutS));
  const tag = proxyActivities<TagActivities>(inference(heartbeatTimeoutS));
  let { paused } = input;
  setHandler(pauseShardsSignal, (pause) => void (paused = pause));

  const parent = workflowInfo().parent;
  let unreported = noCounts();
  let reportedMs = Date.now();
  const report = async (): Promise<void> => {
    const counts = unreported;
    unreported = noCounts();
    reportedMs = Date.now();
    if (parent && counts.images > 0)
      await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal(shardsDoneSignal, counts);
  };

  const { pending } = await corpus.findPendingShards({ output, from, to });
  const waiting = [...pending];
  const handOver = () => workflowInfo().continueAsNewSuggested;
  const lane = async (): Promise<void> => {
    for (;;) {
      await condition(() => !paused || waiting.length === 0);
      const shard = handOver() ? undefined : waiting.shift();
      if (shard === undefined) return;
      const done: Counts = await tag.tagShard({ output, shard, artifact });
      unreported = addCounts(unreported, done);
      if (Date.now() - reportedMs >= REPORT_INTERVAL_MS) await report();
    }
  };
  await runLanes(Math.min(window, pending.length), lane, () => (waiting.length = 0));
  await report();
  if (waiting.length > 0) await continueAsNew<typeof tagShards>({ ...input, paused });
  await corpus.checkShards({ output, from, to });
}
