import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { RECEIPTS, SPOOL } from '../../../data/run/layout.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../../infra/processes.ts';
import { until } from '../cli.ts';

const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);

/** Shards of a run in a folder that have their receipt. */
export async function committedShards(out: string): Promise<string[]> {
  const names = await namesIn(join(out, RECEIPTS));
  return names.filter((name) => /^\d+\.json$/.test(name)).map((name) => name.replace('.json', ''));
}

/** Waits until a run in a folder has committed `shards` shards, and is at work on another. */
export async function midShard(out: string, shards: number): Promise<void> {
  await until(`${shards} shards of ${out} are committed and another is at work`, async () => {
    const committed = await committedShards(out);
    return committed.length >= shards && (await shardsAtWork(out)).length > 0;
  });
}

/** Shards with spooled rows and no receipt. */
export async function shardsAtWork(out: string): Promise<string[]> {
  const started = await namesIn(join(out, SPOOL));
  const committed = new Set(await committedShards(out));
  return started.filter((shard) => !committed.has(shard));
}

/** The live children of a process (Linux only: elsewhere none are found). */
export async function childrenOf(pid: number): Promise<ProcessIdentity[]> {
  const children: ProcessIdentity[] = [];
  for (const name of await namesIn('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = await readParent(Number(name));
    const identity = parent === pid ? await identityOf(Number(name)) : undefined;
    if (identity) children.push(identity);
  }
  return children;
}

async function readParent(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Waits until processes are gone. */
export async function gone(processes: readonly ProcessIdentity[]): Promise<void> {
  for (const process of processes)
    await until(`process ${process.pid} ends`, async () => !(await isAlive(process)), 20_000);
}

/** One attempt of an activity that a server has on record. */
export interface RecordedActivity {
  type: string;
  /** The attempt that succeeded (or was the last), from 1. */
  attempt: number;
  durationMs: number;
}

/** The activities that a Temporal server has on record, of all workflows. */
export async function recordedActivities(address: string): Promise<RecordedActivity[]> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const found: RecordedActivity[] = [];
    for await (const { workflowId, runId } of client.workflow.list()) {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const byId = new Map((events ?? []).map((event) => [Number(event.eventId), event]));
      for (const { activityTaskCompletedEventAttributes: completed, eventTime } of events ?? []) {
        if (!completed) continue;
        const started = byId.get(Number(completed.startedEventId))!;
        const scheduled = byId.get(Number(completed.scheduledEventId))!;
        found.push({
          type: scheduled.activityTaskScheduledEventAttributes!.activityType!.name!,
          attempt: started.activityTaskStartedEventAttributes!.attempt!,
          durationMs: msOf(eventTime!) - msOf(started.eventTime!),
        });
      }
    }
    return found;
  } finally {
    await connection.close();
  }
}

const msOf = ({ seconds, nanos }: { seconds?: unknown; nanos?: number | null }): number =>
  Number(seconds) * 1000 + (nanos ?? 0) / 1e6;
