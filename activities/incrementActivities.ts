import { dropUnchanged, nextIncrement } from '../data/chain/increments.ts';
import { runIdOf } from '../data/run/record.ts';
import type { ObjectStore } from '../data/store/store.ts';
import type { IncrementActivities } from '../workflows/tag/incrementTypes.ts';
import { withHeartbeat } from './activityScope.ts';

/** Activities of chains of tag runs, on the `orchestrate` queue. */
export function createIncrementActivities({
  openStore,
}: {
  openStore(uri: string): ObjectStore;
}): IncrementActivities {
  return {
    nextIncrement: ({ out, ...ask }) =>
      withHeartbeat(async () => {
        const increment = await nextIncrement(openStore(out), { openStore, ...ask });
        return { ...increment, id: runIdOf('tag', increment.run) };
      }),

    dropUnchanged: ({ out, run }) => withHeartbeat(() => dropUnchanged(openStore(out), run, openStore)),
  };
}
