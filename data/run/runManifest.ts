import { z } from 'zod';
import { readJson } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { MANIFEST } from './layout.ts';

const manifestSchema = z.object({
  /** Name of the vocabulary's artifact. */
  artifact: z.string(),
  counts: z.object({
    images: z.int(),
    tagged: z.int(),
    failuresByCode: z.record(z.string(), z.int()),
  }),
  plan: z.object({
    keys: z.int(),
    excluded: z.int(),
    markers: z.int(),
    duplicates: z.int(),
    archived: z.int().default(0),
    deleted: z.int().default(0),
  }),
  fingerprints: z.array(z.record(z.string(), z.string())),
  parts: z.array(z.object({ key: z.string(), rows: z.int(), sizeBytes: z.int() })),
});

/** What of a finished tag run's `_manifest.json` readers need. */
export type RunManifest = z.infer<typeof manifestSchema>;

/** Throws as `readJson`. */
export const readRunManifest = async (output: ObjectStore): Promise<RunManifest> =>
  manifestSchema.parse(await readJson(output, MANIFEST));
