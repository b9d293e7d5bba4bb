import { readChain } from '../data/chain/chain.ts';
import { findPendingShards } from '../data/run/plan/pending.ts';
import { sourceAccess, type TagSpec } from '../data/run/record.ts';
import { requireTagRun } from '../data/run/requireRun.ts';
import type { ObjectStore } from '../data/store/store.ts';
import type { OpenStore } from './openStore.ts';
import type { CorpusActivities } from '../workflows/tag/tagTypes.ts';
import { withHeartbeat } from './activityScope.ts';
import { checkShards, finishRun } from './finish.ts';
import { earlierListing } from './plan/earlierListing.ts';
import { runListing } from './plan/listing.ts';
import { retryChanges } from './plan/retryChanges.ts';
import { writePlan, type PlanCursor, type PlanOptions } from './plan/writePlan.ts';

export interface CorpusDependencies {
  openStore: OpenStore;
}

/** The activities of the `orchestrate` queue: listing and accounting, with the object stores alone. */
export function createCorpusActivities({ openStore }: CorpusDependencies): CorpusActivities {
  return {
    planCorpus: ({ output }) =>
      withHeartbeat<PlanCursor, { shards: number; keys: number }>(async ({ signal, previous, report }) => {
        const folder = openStore(output);
        const { spec } = await requireTagRun(folder);
        const { include, exclude, shardSize, sources } = spec;
        const openSource = (uri: string): ObjectStore => openStore(uri, sourceAccess(spec));
        const listing = runListing(spec, { openStore, openSource, output: folder });
        const { shards, keys } = await writePlan(listing, folder, {
          include,
          exclude,
          shardSize,
          since: spec.since === null ? undefined : earlierListing(openStore(spec.since), sources),
          retry: spec.retry
            ? await retryOf(
                spec.retry,
                sources.map(({ uri }) => openSource(uri)),
                openStore,
              )
            : undefined,
          // A cursor of another version does not say where it got to.
          from: previous?.position && previous,
          report,
          signal,
        });
        return { shards, keys };
      }),

    findPendingShards: ({ output, from, to }) =>
      withHeartbeat(() => findPendingShards(openStore(output), from, to)),

    checkShards: ({ output, from, to }) =>
      withHeartbeat<number, undefined>(async ({ report }) => {
        let checked = 0;
        await checkShards(openStore(output), from, to, () => report(++checked));
        return undefined;
      }),

    finishRun: ({ output, artifact }) =>
      withHeartbeat<number, Awaited<ReturnType<typeof finishRun>>>(async ({ report }) => {
        const folder = openStore(output);
        let steps = 0;
        return finishRun(folder, await requireTagRun(folder), artifact, () => report(++steps));
      }),
  };
}

async function retryOf(
  { parent, codes }: NonNullable<TagSpec['retry']>,
  sources: readonly ObjectStore[],
  openStore: OpenStore,
): Promise<PlanOptions['retry']> {
  const chain = await readChain(openStore(parent), openStore);
  return (after) => retryChanges(sources, chain, { codes, after });
}
