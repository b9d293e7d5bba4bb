import { Failure } from '../../../data/failure.ts';
import { describeFailed } from '../../../data/training/failedImages.ts';
import {
  featuresIndexKey,
  featuresPieceKey,
  featuresReceiptKey,
} from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { requireFeaturesReceipt } from './featuresReceipt.ts';
import { requireFeaturesRequest, type FeaturesRequest } from './featuresRequest.ts';

/**
 * Writes `index.json` beside the pieces of features: which images they are of, and each piece's file, images and failures.
 * Throws `Run.Incomplete` where a piece is missing, and `Train.UnreadableImages` where too many images could not be read.
 */
export async function indexFeatures(
  artifacts: ObjectStore,
  hash: string,
  report: (pieces: number) => void,
): Promise<void> {
  const key = featuresIndexKey(hash);
  if (await artifacts.head(key)) return;
  const request = await requireFeaturesRequest(artifacts, hash);
  const pieces = Math.ceil(request.images / request.pieceImages);
  const listed = [];
  const byCode: Record<string, number> = {};
  for (let piece = 0; piece < pieces; piece++) {
    const { images, failed, sizeBytes } = await requireFeaturesReceipt(artifacts, hash, piece);
    listed.push({ file: featuresPieceKey(hash, piece), images, failed: failed.length, sizeBytes });
    for (const { code } of failed) byCode[code] = (byCode[code] ?? 0) + 1;
    report(piece + 1);
  }
  const failures = listed.reduce((sum, { failed }) => sum + failed, 0);
  if (failures > request.maxFailureRate * request.images) {
    // Else they would be taken for whole, and their images never be read again.
    await artifacts.delete(
      listed.flatMap(({ failed }, piece) => (failed > 0 ? [featuresReceiptKey(hash, piece)] : [])),
    );
    throw tooManyUnreadable(request, failures, byCode);
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

function tooManyUnreadable(
  { images, maxFailureRate, snapshot }: FeaturesRequest,
  failures: number,
  byCode: Readonly<Record<string, number>>,
): Failure {
  return new Failure(
    'Train.UnreadableImages',
    `${failures} of ${images} images of the snapshot in ${snapshot.folder} could not be read, more than the ${100 * maxFailureRate} % that are let pass: ${describeFailed(byCode)}.`,
    {
      subject: snapshot.folder,
      retryable: false,
      hint: 'Put the images back and `c2srt resume`, or correct the manifest, or raise train.maxFailureRate, and start again.',
    },
  );
}
