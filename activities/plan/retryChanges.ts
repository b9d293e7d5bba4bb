import pMap from 'p-map';
import type { ChainRun } from '../../data/chain/chain.ts';
import { currentOutcomes, type ObjectOutcome } from '../../data/chain/currentOutcomes.ts';
import { isFailure } from '../../data/failure.ts';
import { compareEntries, type Position } from '../../data/run/plan/entryOrder.ts';
import { readListing, type PlanEntry } from '../../data/run/plan/plan.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { Change } from './changes.ts';
import { renumbered, sourceNumbers } from './earlierListing.ts';

/** Failed objects that are looked up together, and how many of them at once. */
const BATCH = 512;
const CONCURRENCY = 32;

type Source = Pick<ObjectStore, 'head'>;

/**
 * The listing of a chain's last run, in which the objects whose current outcome is a failure of one of `codes` (null:
 * any) are `changed`, or `deleted` where their source no longer has them: what a retry plans. Failed objects carry what
 * the source says of them now, so that one that was replaced or restored since is tagged as it is; of one that was
 * planned by its version that version is looked up.
 *
 * @param sources those of the chain's last run, in its order.
 * @param chain oldest first.
 * @param after only objects behind this one.
 */
export async function* retryChanges(
  sources: readonly Source[],
  chain: readonly ChainRun[],
  { codes, after }: { codes: readonly string[] | null; after: Position | undefined },
): AsyncGenerator<Change> {
  const isBehind = (entry: PlanEntry): boolean => after === undefined || compareEntries(entry, after) > 0;
  const failed = failedObjects(sources, chain, codes, isBehind);
  let next = await failed.next();
  for await (const entry of readListing(chain.at(-1)!.output)) {
    if (!isBehind(entry)) continue;
    // Runs of releases that dropped from their listing what their globs excluded: it is not tried again.
    while (!next.done && compareEntries(next.value.entry, entry) < 0) next = await failed.next();
    if (next.done || compareEntries(next.value.entry, entry) > 0) yield { kind: 'unchanged', entry };
    else yield next.value;
  }
}

/** The failed objects in order, as their sources have them now, by the last run's numbers of sources. */
async function* failedObjects(
  sources: readonly Source[],
  chain: readonly ChainRun[],
  codes: readonly string[] | null,
  isBehind: (entry: PlanEntry) => boolean,
): AsyncGenerator<Change, undefined> {
  const last = chain.at(-1)!.record.spec.sources;
  const numbers = new Map(chain.map((run) => [run, sourceNumbers(run.record.spec.sources, last)]));
  const isWanted = ({ outcome }: ObjectOutcome): boolean =>
    typeof outcome === 'object' && (codes === null || codes.includes(outcome.code));
  const lookUp = (batch: readonly PlanEntry[]): Promise<Change[]> =>
    pMap(batch, (entry) => lookUpOne(sources[entry.source ?? 0]!, entry), { concurrency: CONCURRENCY });
  let batch: PlanEntry[] = [];
  for await (const of of currentOutcomes(chain)) {
    if (!isWanted(of)) continue;
    const entry = renumbered(of.entry, numbers.get(of.run)!);
    if (!isBehind(entry)) continue;
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield* await lookUp(batch);
    batch = [];
  }
  yield* await lookUp(batch);
  return undefined;
}

async function lookUpOne(source: Source, planned: PlanEntry): Promise<Change> {
  const { archived: _, ...entry } = planned;
  try {
    const { key, versionId } = entry;
    const found = await source.head(key, versionId === undefined ? {} : { versionId });
    if (!found) return { kind: 'deleted', entry };
    const { etag, sizeBytes, lastModifiedMs, archived } = found;
    return {
      kind: 'changed',
      entry: { ...entry, etag, sizeBytes, lastModifiedMs, ...(archived && { archived }) },
    };
  } catch (error) {
    // Whoever may not look may not fetch either: that is what the row will say.
    if (isFailure(error, 'Store.Forbidden') || isFailure(error, 'Store.InvalidKey'))
      return { kind: 'changed', entry };
    throw error;
  }
}
