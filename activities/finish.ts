import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { Failure, isFailure } from '../data/failure.ts';
import { MANIFEST, partKey, PART_KINDS, SPOOL, SUCCESS } from '../data/run/layout.ts';
import { readPlanIndex } from '../data/run/plan/plan.ts';
import { addCounts, noCounts } from '../data/run/counts.ts';
import { countsOf, readReceipt, type Receipt } from '../data/run/receipt.ts';
import type { TagRecord } from '../data/run/record.ts';
import { modelOfArtifacts } from '../data/run/runModel.ts';
import { deletePrefix } from '../data/store/deletePrefix.ts';
import type { ObjectStore } from '../data/store/store.ts';
import type { TagCorpusResult } from '../workflows/tag/tagTypes.ts';
import { ensurePublished } from './tag/commit.ts';

/** Receipts read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

/**
 * Checks that shards [from, to) are whole: each has a receipt, and both parts that it names lie in their place with
 * the bytes that were verified when it was put. A missing copy is made. `report` is told after each shard.
 * Throws `Run.Incomplete` or `Run.PartChanged`.
 */
export async function checkShards(
  output: ObjectStore,
  from: number,
  to: number,
  report: () => void,
): Promise<void> {
  const shards = Array.from({ length: to - from }, (_, i) => from + i);
  const checkShard = async (shard: number): Promise<void> => {
    const receipt = await readReceipt(output, shard);
    if (!receipt)
      throw new Failure('Run.Incomplete', `Shard ${shard} of ${output.uri} has no receipt.`, {
        subject: output.uri,
        retryable: true,
      });
    for (const kind of PART_KINDS) await checkPart(output, receipt, kind);
    report();
  };
  await pMap(shards, checkShard, { concurrency: CONCURRENCY });
}

async function checkPart(
  output: ObjectStore,
  receipt: Receipt,
  kind: (typeof PART_KINDS)[number],
): Promise<void> {
  const key = partKey(kind, receipt.shard);
  if ((await partHash(output, key)) === receipt[kind].sha256) return;
  await ensurePublished(output, receipt);
  if ((await partHash(output, key)) === receipt[kind].sha256) return;
  throw new Failure(
    'Run.PartChanged',
    `${output.describeKey(key)} is not what its receipt says was written.`,
    {
      subject: output.describeKey(key),
      hint: "Something else wrote to the run's folder; choose another --out.",
    },
  );
}

async function partHash(output: ObjectStore, key: string): Promise<string | undefined> {
  try {
    const { body } = await output.get(key);
    return createHash('sha256').update(body).digest('hex');
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return undefined;
    throw error;
  }
}

/**
 * Ends a run whose shards were all checked: every planned key is in exactly one part (the receipts' rows, each set of
 * them checked against the plan's keys when it was committed, add up to the plan), the manifest, the spool's removal,
 * and last `_SUCCESS`. Throws `Run.Unaccounted` where they do not add up.
 */
export async function finishRun(
  output: ObjectStore,
  record: TagRecord,
  artifact: string,
  report: () => void,
): Promise<TagCorpusResult> {
  const plan = await readPlanIndex(output);
  if (!plan) throw new Failure('Run.Incomplete', `${output.uri} has no plan.`, { subject: output.uri });
  const readOne = async (shard: number): Promise<Receipt> => {
    report();
    const receipt = await readReceipt(output, shard);
    if (!receipt)
      throw new Failure('Run.Incomplete', `Shard ${shard} of ${output.uri} has no receipt.`, {
        subject: output.uri,
      });
    return receipt;
  };
  const receipts = await pMap(Array(plan.shards).keys(), readOne, { concurrency: CONCURRENCY });
  const counts = receipts.map(countsOf).reduce(addCounts, noCounts());
  if (counts.images !== plan.keys) {
    throw new Failure(
      'Run.Unaccounted',
      `${plan.keys} keys were planned, but the receipts of ${output.uri} account for ${counts.images}.`,
      { subject: output.uri },
    );
  }
  const fingerprints = [
    ...new Map(receipts.map(({ fingerprint }) => [JSON.stringify(fingerprint), fingerprint])).values(),
  ];
  const { scores } = await modelOfArtifacts(output, artifact);
  const manifest = {
    version: 1,
    run: record.id,
    spec: record.spec,
    artifact,
    scores,
    counts,
    plan: {
      keys: plan.keys,
      sizeBytes: plan.sizeBytes,
      excluded: plan.excluded,
      markers: plan.markers,
      duplicates: plan.duplicates,
      archived: plan.archived,
      deleted: plan.since?.deleted.keys ?? 0,
    },
    fingerprints,
    parts: receipts.flatMap((receipt) =>
      PART_KINDS.map((kind) => ({ key: partKey(kind, receipt.shard), ...receipt[kind] })),
    ),
  };
  await output.put(MANIFEST, JSON.stringify(manifest, null, 1), { contentType: 'application/json' });
  await deletePrefix(output, SPOOL, report);
  await output.put(SUCCESS, '');
  return { ...counts, parts: receipts.length, ...(scores && { scores }) };
}
