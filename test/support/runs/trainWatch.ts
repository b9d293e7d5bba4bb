/** What a training's folder and its Temporal server show of it while it is at work, and when it has ended. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import { mergeReceiptKey, shardReceiptKey } from '../../../data/training/trainLayout.ts';
import { pauseUpdate } from '../../../workflows/control/requests.ts';
import { asked } from './asked.ts';
import { until } from '../cli.ts';

/** Files of a trained model whose bytes depend on nothing but the training's inputs. */
const MODEL_BYTES = ['model.safetensors', 'config.json', 'graph.json', 'categories.json'];

const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

const readObject = async (file: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;

/**
 * SHA-256 of what a finished training in a folder came to: the model's files; the merged and the shards' states of the
 * last round, moments and outer momentum included; and the figures of all validations.
 */
export async function trainedBytes(out: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const name of MODEL_BYTES) digests[name] = await digest(join(out, name));
  const rounds = (await readdir(join(out, '_rounds'))).filter((name) => /^\d+$/.test(name)).sort();
  for (const round of rounds) {
    const folder = join(out, '_rounds', round);
    for (const name of (await readdir(folder)).sort()) {
      if (name === 'validation.json') digests[`${round}/${name}`] = await digest(join(folder, name));
      if (!name.endsWith('.json') || name === 'validation.json' || round !== rounds.at(-1)) continue;
      const { state } = await readObject(join(folder, name));
      digests[`${round}/${name}`] = await digest(join(out, String(state)));
    }
  }
  return digests;
}

/** Receipts of shards and merges that are there, by their keys; each names the attempt that it is of. */
export async function roundReceipts(out: string): Promise<Record<string, string>> {
  const receipts: Record<string, string> = {};
  for (const name of await readdir(join(out, '_rounds'), { recursive: true }).catch(() => []))
    if (/(shard-\d+|merged)\.json$/.test(name))
      receipts[name] = await readFile(join(out, '_rounds', name), 'utf8');
  return receipts;
}

export const hasShard = async (out: string, round: number, shard: number): Promise<boolean> =>
  isThere(join(out, shardReceiptKey(round, shard)));

export const hasMerged = async (out: string, round: number): Promise<boolean> =>
  isThere(join(out, mergeReceiptKey(round)));

const isThere = (file: string): Promise<boolean> =>
  readFile(file).then(
    () => true,
    () => false,
  );

/** A `trainShard` activity that a worker has in hand. */
export interface ShardAtWork {
  round: number;
  shard: number;
  /** The worker's process. */
  pid: number;
}

/** The one workflow at work on a server, and the `trainShard` activities of it that workers have in hand. */
async function shardsInHand(client: Client): Promise<{ handle?: WorkflowHandle; shards: ShardAtWork[] }> {
  const shards: ShardAtWork[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: 'ExecutionStatus="Running"' })) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const { pendingActivities } = (await handle.describe()).raw;
    const started = (pendingActivities ?? []).filter(
      ({ activityType, state }) => activityType?.name === 'trainShard' && state === STARTED,
    );
    if (started.length === 0) continue;
    const { events } = await handle.fetchHistory();
    for (const { activityId, lastWorkerIdentity } of started) {
      const scheduled = events
        ?.map((event) => event.activityTaskScheduledEventAttributes)
        .find((attributes) => attributes?.activityId === activityId);
      const { round, shard } = defaultPayloadConverter.fromPayload<{ round: number; shard: number }>(
        scheduled!.input!.payloads![0]!,
      );
      shards.push({ round, shard, pid: Number(lastWorkerIdentity!.split('@')[0]) });
    }
    return { handle, shards };
  }
  return { shards };
}

const STARTED = proto.temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;

/**
 * Waits until a worker is in the middle of a shard of round `round` or later, and stops its process there, for the
 * caller to kill: a stopped process cannot end the shard meanwhile. `workMs` is how long shards take.
 */
export async function stopInShard(
  out: string,
  address: string,
  round: number,
  workMs: number,
): Promise<ShardAtWork> {
  return withClient(address, (client) =>
    until(`a shard of round ${round} of ${out} is at work`, async () => {
      const atWork = (await shardsInHand(client)).shards.find((shard) => shard.round >= round);
      if (!atWork) return undefined;
      await sleep(workMs / 2);
      process.kill(atWork.pid, 'SIGSTOP');
      if (!(await hasShard(out, atWork.round, atWork.shard))) return atWork;
      process.kill(atWork.pid, 'SIGCONT');
      return undefined;
    }),
  );
}

/** Waits until a shard is at work, and asks its training to pause. */
export async function pauseInShard(address: string): Promise<void> {
  await withClient(address, (client) =>
    until('a shard is at work', async () => {
      const { handle, shards } = await shardsInHand(client);
      if (shards.length > 0) await handle!.executeUpdate(pauseUpdate, { args: [asked()] });
      return shards.length > 0;
    }),
  );
}

async function withClient<Result>(
  address: string,
  during: (client: Client) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.connect({ address });
  try {
    return await during(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
