import pMap from 'p-map';
import { isFailure } from '../../data/failure.ts';
import type { ChainRun } from '../../data/chain/chain.ts';
import { currentOutcomes, type KeyOutcome } from '../../data/chain/currentOutcomes.ts';
import { readListing, type PlanEntry } from '../../data/run/plan.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { compareUtf8 } from '../../data/utf8Order.ts';
import type { Change } from './changes.ts';

/** Failed keys that are looked up together, and how many of them at once. */
const BATCH = 512;
const CONCURRENCY = 32;

/**
 * The listing of a chain's last run, in which the keys whose current outcome is a failure of one of `codes` (null: any)
 * are `changed`, or `deleted` where the source no longer has them: what a retry plans. Failed keys carry what the source
 * says of them now, so that an object that was replaced since is tagged as it is.
 *
 * @param chain oldest first.
 * @param after only keys behind this one.
 */
export async function* retryChanges(
  source: Pick<ObjectStore, 'head'>,
  chain: readonly ChainRun[],
  { codes, after }: { codes: readonly string[] | null; after: string | undefined },
): AsyncGenerator<Change> {
  const isBehind = (key: string): boolean => after === undefined || compareUtf8(key, after) > 0;
  const failed = failedKeys(source, chain, codes, isBehind);
  let next = await failed.next();
  for await (const entry of readListing(chain.at(-1)!.output)) {
    if (!isBehind(entry.key)) continue;
    if (next.done || next.value.entry.key !== entry.key) yield { kind: 'unchanged', entry };
    else {
      yield next.value;
      next = await failed.next();
    }
  }
}

/** The failed keys in order, as the source has them now; all of them are in the last run's listing. */
async function* failedKeys(
  source: Pick<ObjectStore, 'head'>,
  chain: readonly ChainRun[],
  codes: readonly string[] | null,
  isBehind: (key: string) => boolean,
): AsyncGenerator<Change, undefined> {
  const isWanted = ({ outcome }: KeyOutcome): boolean =>
    typeof outcome === 'object' && (codes === null || codes.includes(outcome.code));
  const lookUp = (batch: readonly PlanEntry[]): Promise<Change[]> =>
    pMap(batch, (entry) => lookUpOne(source, entry), { concurrency: CONCURRENCY });
  let batch: PlanEntry[] = [];
  for await (const of of currentOutcomes(chain)) {
    if (!isWanted(of) || !isBehind(of.key)) continue;
    batch.push(of.entry);
    if (batch.length < BATCH) continue;
    yield* await lookUp(batch);
    batch = [];
  }
  yield* await lookUp(batch);
  return undefined;
}

async function lookUpOne(source: Pick<ObjectStore, 'head'>, planned: PlanEntry): Promise<Change> {
  try {
    const found = await source.head(planned.key);
    if (!found) return { kind: 'deleted', entry: planned };
    const { etag, sizeBytes, lastModifiedMs } = found;
    return { kind: 'changed', entry: { ...planned, etag, sizeBytes, lastModifiedMs } };
  } catch (error) {
    // Whoever may not look may not fetch either: that is what the row will say.
    if (isFailure(error, 'Store.Forbidden') || isFailure(error, 'Store.InvalidKey'))
      return { kind: 'changed', entry: planned };
    throw error;
  }
}
