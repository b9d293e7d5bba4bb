/** Plans as many simulated keys as it is told, and prints what that took; a process of its own, for its memory. */
import { openStore } from '../../data/store/open.ts';
import type { ObjectInfo } from '../../data/store/store.ts';
import { storeListing } from '../../activities/plan/listing.ts';
import { writePlan } from '../../activities/plan/writePlan.ts';

const [count, folder] = [Number(process.argv[2]), process.argv[3]!];
const list = async function* (): AsyncGenerator<ObjectInfo> {
  await Promise.resolve();
  for (let i = 0; i < count; i++) {
    const key = `photos/${String(i >> 12).padStart(6, '0')}/${String(i).padStart(9, '0')}-a-name-of-usual-length.jpg`;
    yield {
      key,
      etag: (i * 2654435761).toString(16).padStart(32, '0'),
      sizeBytes: 100_000 + (i % 1000),
      lastModifiedMs: 1.7e12 + i,
    };
  }
};
const plan = await writePlan(storeListing({ list }), openStore(folder), {
  include: [],
  exclude: ['**/*.txt'],
  shardSize: 10_000,
  report: () => undefined,
});
globalThis.gc!();
console.log(
  JSON.stringify({ keys: plan.keys, shards: plan.shards, peakBytes: process.resourceUsage().maxRSS * 1024 }),
);
