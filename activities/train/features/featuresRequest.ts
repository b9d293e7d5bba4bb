import { z } from 'zod';
import { Failure } from '../../../data/failure.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { featuresRequestKey, SNAPSHOTS } from '../../../data/training/trainLayout.ts';

const requestSchema = z.object({
  version: z.literal(1),
  /** The model whose encoder makes them: where it is, and the hash that it must have. */
  model: z.object({ uri: z.string(), hash: z.string() }),
  /** Blocks of the encoder above the point that they are taken at. */
  trainedBlocks: z.int().nonnegative(),
  /** URI of the folder that has the snapshot, which of its snapshots, and the hash that it must have. */
  snapshot: z.object({ folder: z.string(), name: z.enum(SNAPSHOTS), hash: z.string() }),
  /** Images of the snapshot, from its first on. */
  images: z.int().nonnegative(),
  /** Images per piece; the last may have fewer. */
  pieceImages: z.int().positive(),
  /** Share of the images, in [0, 1], that may be unreadable. */
  maxFailureRate: z.number(),
});

/** What features are of, written into their folder before they are extracted. */
export type FeaturesRequest = z.infer<typeof requestSchema>;

/**
 * Of several runs that ask for the same features the last one's request counts: models and snapshots of the same hash may
 * lie at several places, and those of an older run may be gone.
 */
export async function putFeaturesRequest(
  artifacts: ObjectStore,
  hash: string,
  request: FeaturesRequest,
): Promise<void> {
  await artifacts.put(featuresRequestKey(hash), JSON.stringify(request, null, 1), {
    contentType: 'application/json',
  });
}

/** Throws `Run.Incomplete` where nobody has asked for such features. */
export async function requireFeaturesRequest(artifacts: ObjectStore, hash: string): Promise<FeaturesRequest> {
  const request = requestSchema.optional().parse(await readJsonIfThere(artifacts, featuresRequestKey(hash)));
  if (request) return request;
  const subject = artifacts.describeKey(featuresRequestKey(hash));
  throw new Failure('Run.Incomplete', `${subject} is not there: nothing says what the features are of.`, {
    subject,
  });
}
