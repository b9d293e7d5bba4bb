import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import { Failure } from '../../../data/failure.ts';
import { describeFailed } from '../../../data/training/failedImages.ts';
import {
  featuresIndexKey,
  featuresPieceKey,
  featuresReceiptKey,
  snapshotFolder,
} from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { requireFeaturesReceipt } from './featuresReceipt.ts';
import { requireFeaturesRequest, type FeaturesRequest } from './featuresRequest.ts';

/** Images that a failure names. */
const NAMED = 3;

/**
 * Writes `index.json` beside the pieces of features: which images they are of, and each piece's file, images and failures.
 * Throws `Run.Incomplete` where a piece is missing, and `Train.UnreadableImages` where too many images could not be read.
 */
export async function indexFeatures(
  artifacts: ObjectStore,
  openStore: (uri: string) => ObjectStore,
  hash: string,
  report: (pieces: number) => void,
): Promise<void> {
  const key = featuresIndexKey(hash);
  if (await artifacts.head(key)) return;
  const request = await requireFeaturesRequest(artifacts, hash);
  const pieces = Math.ceil(request.images / request.pieceImages);
  const listed = [];
  const byCode: Record<string, number> = {};
  const first: { row: number; code: string }[] = [];
  for (let piece = 0; piece < pieces; piece++) {
    const { images, failed, sizeBytes } = await requireFeaturesReceipt(artifacts, hash, piece);
    listed.push({ file: featuresPieceKey(hash, piece), images, failed: failed.length, sizeBytes });
    for (const { place, code } of failed) {
      byCode[code] = (byCode[code] ?? 0) + 1;
      if (first.length < NAMED) first.push({ row: piece * request.pieceImages + place, code });
    }
    report(piece + 1);
  }
  const failures = listed.reduce((sum, { failed }) => sum + failed, 0);
  if (failures > request.maxFailureRate * request.images) {
    // Else they would be taken for whole, and their images never be read again.
    await artifacts.delete(
      listed.flatMap(({ failed }, piece) => (failed > 0 ? [featuresReceiptKey(hash, piece)] : [])),
    );
    throw tooManyUnreadable(request, failures, byCode, await namesOf(request, first, openStore));
  }
  const index = {
    version: 1,
    snapshot: request.snapshot.hash,
    images: listed.reduce((sum, { images }) => sum + images, 0),
    sizeBytes: listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    pieces: listed,
  };
  await artifacts.put(key, JSON.stringify(index, null, 1), { contentType: 'application/json' });
}

/** The first images that failed, each with its code. */
const namesOf = (
  { snapshot }: FeaturesRequest,
  failed: readonly { row: number; code: string }[],
  openStore: (uri: string) => ObjectStore,
): Promise<string[]> =>
  Promise.all(
    failed.map(async ({ row, code }) => {
      const folder = openStore(snapshot.folder);
      const [image] = await readSnapshotRows(folder, snapshotFolder(snapshot.name), row, row + 1);
      return `${image!.uri} (${code})`;
    }),
  );

function tooManyUnreadable(
  { images, maxFailureRate, snapshot }: FeaturesRequest,
  failures: number,
  byCode: Readonly<Record<string, number>>,
  named: readonly string[],
): Failure {
  return new Failure(
    'Train.UnreadableImages',
    `${failures} of ${images} images could not be read, more than the ${100 * maxFailureRate} % that are let pass (${describeFailed(byCode)}): ${named.join(', ')}${failures > named.length ? ', ...' : ''}.`,
    {
      subject: snapshot.folder,
      retryable: false,
      hint: 'Put the images back and `c2srt resume`; or correct the manifest, or raise maxFailureRate in its section of c2srt.yaml, and train into another --out.',
    },
  );
}
