import { findPendingShards } from '../data/run/pending.ts';
import { sourceAccess } from '../data/run/record.ts';
import { requireTagRun } from '../data/run/requireRun.ts';
import type { OpenStore } from './openStore.ts';
import type { CorpusActivities } from '../workflows/types.ts';
import { withHeartbeat } from './activityScope.ts';
import { checkShards, finishRun } from './finish.ts';
import { runListing } from './plan/listing.ts';
import { writePlan, type PlanCursor } from './plan/writePlan.ts';

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
        const { include, exclude, shardSize } = spec;
        const since = spec.since === null ? undefined : openStore(spec.since);
        const listing = runListing(spec, {
          openStore,
          openSource: (uri) => openStore(uri, sourceAccess(spec)),
          output: folder,
        });
        const { shards, keys } = await writePlan(listing, folder, {
          include,
          exclude,
          shardSize,
          since,
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
