import { createHash } from 'node:crypto';
import { Failure, isFailure } from '../../data/failure.ts';
import type { FailureRow, PartMetadata, TagRow } from '../../data/parquet/tagRows.ts';
import { verifyPart } from '../../data/parquet/verify.ts';
import { encodeFailureRows, encodeTagRows } from '../../data/parquet/write.ts';
import { partKey, PART_KINDS, spooledPartKey } from '../../data/run/layout.ts';
import { commitReceipt, publishParts, type Receipt } from '../../data/run/receipt.ts';
import type { RowName } from '../../data/run/rowNames.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Outcomes } from './spool.ts';

export interface CommitInput {
  output: ObjectStore;
  shard: number;
  attempt: string;
  /** One for each of the shard's `names`. */
  outcomes: Outcomes;
  /** What names the rows, in plan order. */
  names: readonly RowName[];
  embedding: boolean;
  metadata: PartMetadata;
  fingerprint: Readonly<Record<string, string>>;
}

/**
 * Makes a finished shard part of the run: writes both parts under the spool, reads them back with a second Parquet
 * library, puts the receipt, and copies what the receipt names. Returns the receipt that counts, which is another
 * attempt's where that one was first.
 *
 * Throws `Run.Unaccounted` unless every planned key is in exactly one part, `Output.Unreadable` where a part does not
 * read back as it was written.
 */
export async function commitShard(input: CommitInput): Promise<Receipt> {
  const { output, shard, attempt, embedding, metadata } = input;
  const { tagged, failed } = inPlanOrder(input);
  const parts = {
    tags: await writePart(
      spooledPartKey(shard, attempt, 'tags'),
      encodeTagRows(tagged, { embedding, metadata }),
      tagged,
    ),
    failures: await writePart(
      spooledPartKey(shard, attempt, 'failures'),
      encodeFailureRows(failed, { metadata }),
      failed,
    ),
  };
  const failuresByCode: Record<string, number> = {};
  for (const { code } of failed) failuresByCode[code] = (failuresByCode[code] ?? 0) + 1;
  const receipt = await commitReceipt(output, {
    shard,
    attempt,
    ...parts,
    failuresByCode,
    fingerprint: { ...input.fingerprint },
  });
  await ensurePublished(output, receipt);
  return receipt;

  async function writePart(
    key: string,
    bytes: Uint8Array,
    rows: readonly (TagRow | FailureRow)[],
  ): Promise<Receipt['tags']> {
    await output.put(key, bytes);
    const { body } = await output.get(key);
    await verifyPart(body, rows);
    return {
      rows: rows.length,
      sizeBytes: body.length,
      sha256: createHash('sha256').update(body).digest('hex'),
    };
  }
}

/**
 * Copies a committed shard's parts to their place. Where the spool is gone the run has finished, and they are there:
 * anything else throws `Run.PartMissing`.
 */
export async function ensurePublished(output: ObjectStore, receipt: Receipt): Promise<void> {
  try {
    await publishParts(output, receipt);
  } catch (error) {
    if (!isFailure(error, 'Store.NotFound')) throw error;
    for (const kind of PART_KINDS) {
      const key = partKey(kind, receipt.shard);
      const found = await output.head(key);
      if (found?.sizeBytes !== receipt[kind].sizeBytes) {
        throw new Failure(
          'Run.PartMissing',
          `${output.describeKey(key)} is missing, and so is the copy that its receipt names.`,
          {
            subject: output.describeKey(key),
            hint: `Something deleted it. Delete ${output.describeKey(`_receipts/`)} of this shard and resume, to tag the shard again.`,
            cause: error,
          },
        );
      }
    }
  }
}

function inPlanOrder({ output, shard, outcomes, names }: CommitInput): {
  tagged: TagRow[];
  failed: FailureRow[];
} {
  const tagged: TagRow[] = [];
  const failed: FailureRow[] = [];
  for (const [at, { key, source }] of names.entries()) {
    const outcome = outcomes.get(at);
    const row = outcome && ('tagged' in outcome ? outcome.tagged : outcome.failed);
    if (row?.key !== key || row.source !== source) {
      throw new Failure(
        'Run.Unaccounted',
        `Shard ${shard} of ${output.uri} has no outcome for ${JSON.stringify(key)}.`,
        { subject: key },
      );
    }
    if ('tagged' in outcome!) tagged.push(outcome.tagged);
    else failed.push(outcome!.failed);
  }
  return { tagged, failed };
}
