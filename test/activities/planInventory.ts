/** Plans from the S3 Inventory report it is told, and prints what that took; a process of its own, for its memory. */
import { runListing } from '../../activities/plan/listing.ts';
import { writePlan } from '../../activities/plan/writePlan.ts';
import { openStore } from '../../data/store/open.ts';

const [uri, etag, folder] = process.argv.slice(2) as [string, string, string];
const output = openStore(folder);
const sources = [{ uri: 's3://bucket/photos', inventory: { uri, etag } }];
const open = (store: string) => openStore(store);
const listing = runListing({ sources, keys: [] }, { openStore: open, openSource: open, output });
const options = { include: [], exclude: [], shardSize: 10_000, report: () => undefined };
const { keys, shards, duplicates } = await writePlan(listing, output, options);
globalThis.gc!();
console.log(JSON.stringify({ keys, shards, duplicates, peakBytes: process.resourceUsage().maxRSS * 1024 }));
