/** Writes the snapshots of a manifest, and prints what that took; a process of its own, for its memory. */
import { openStore } from '../../data/store/open.ts';
import { writeSnapshot } from '../../data/dataset/snapshot.ts';

const [data, folder, tempFolder] = process.argv.slice(2) as [string, string, string];
const names = Array.from({ length: 500 }, (_, i) => `category ${i}`);
const { train, validation } = await writeSnapshot({
  kind: 'labels',
  categories: names.map((name) => ({ name, aliases: [], prompts: [] })),
  unlisted: 'absent',
  output: openStore(folder),
  data,
  validation: null,
  validationShare: 0.1,
  tempFolder,
  maxRecordsInMemory: 2_000,
});
console.log(
  JSON.stringify({
    images: [train.images, validation.images],
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
