import {
  continueAsNew,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { runPieces } from '../lanes.ts';
import { accounting, inference } from '../profiles.ts';
import { shardsReportSignal, shardWindowSignal } from '../signals.ts';
import { noShards, withShard } from './ended.ts';
import type { CorpusActivities, TagActivities, TagShardsInput } from './tagTypes.ts';

/**
 * Time between two reports to the parent: at least this, and at least this share of the time so far, so that the
 * parent's history does not grow with the number of shards.
 */
const REPORT_INTERVAL_MS = 5_000;
const REPORT_SHARE = 0.1;

/**
 * Tags shards [from, to) of a run, a window of them at a time, and checks that all are whole.
 * A shard with a receipt is not tagged again, whichever execution put it there.
 */
export async function tagShards(input: TagShardsInput): Promise<void> {
  const { output, from, to, artifact, heartbeatTimeoutS, carried } = input;
  const startedMs = carried?.startedMs ?? Date.now();
  let reports = carried?.reports ?? 0;
  const corpus = proxyActivities<CorpusActivities>(accounting(heartbeatTimeoutS));
  const tag = proxyActivities<TagActivities>(inference(heartbeatTimeoutS));
  let { window, revision } = input;
  let inHand = 0;

  const { parent, workflowId: child } = workflowInfo();
  let unreported = noShards();
  let reportedMs = Date.now();
  const report = async (): Promise<void> => {
    const ended = unreported;
    unreported = noShards();
    reportedMs = Date.now();
    if (parent)
      await getExternalWorkflowHandle(parent.workflowId, parent.runId).signal(shardsReportSignal, {
        child,
        serial: ++reports,
        revision,
        inHand,
        ...ended,
      });
  };
  const isDue = (): boolean =>
    Date.now() - reportedMs >= Math.max(REPORT_INTERVAL_MS, REPORT_SHARE * (reportedMs - startedMs));
  setHandler(shardWindowSignal, async (asked) => {
    ({ window, revision } = asked);
    await report();
  });

  const { pending } = await corpus.findPendingShards({ output, from, to });
  const waiting = [...pending];
  await runPieces({
    isLeft: () => waiting.length > 0 && !workflowInfo().continueAsNewSuggested,
    isOpen: (atWork) => atWork < window,
    async work() {
      const shard = waiting.shift()!;
      inHand++;
      try {
        const result = await tag.tagShard({ output, shard, artifact });
        unreported = withShard(unreported, shard, result);
      } finally {
        inHand--;
      }
      // Who narrowed the window wants to know when that is reached.
      if (isDue() || inHand >= window) await report();
    },
  });
  if (unreported.shards > 0) await report();
  if (waiting.length > 0)
    await continueAsNew<typeof tagShards>({
      ...input,
      ...{ window, revision, carried: { startedMs, reports } },
    });
  await corpus.checkShards({ output, from, to });
}
