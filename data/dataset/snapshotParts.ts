import { Failure } from '../failure.ts';
import type { SnapshotName } from '../training/trainLayout.ts';
import { sharedAre, sharedImages } from './sharedImages.ts';
import type { SortedImage, SortedImages } from './sortedImages.ts';

/** From this many images on, a share that is not 0 holds back at least one. */
const ENOUGH_IMAGES = 20;

/** Images [from, to) of a manifest, which become a snapshot. */
export interface SnapshotPart {
  source: SortedImages;
  from: number;
  to: number;
  duplicates: number;
}

/**
 * Which images become which snapshot.
 *
 * @param sources the manifest to train on and, where there is one, that to validate on
 * @param validationShare share of the first that is held back where there is no second, in [0, 1)
 * @throws Failure `Dataset.Overlap` where both manifests list an image
 */
export async function partsOf(
  sources: readonly SortedImages[],
  validationShare: number,
  tick: () => void,
): Promise<Record<SnapshotName, SnapshotPart>> {
  const [all, held] = sources;
  const whole = (source: SortedImages): SnapshotPart => {
    const { images, duplicates } = source;
    return { source, from: 0, to: images, duplicates };
  };
  if (held !== undefined) {
    await refuseOverlap(all!, held, tick);
    return { train: whole(all!), validation: whole(held) };
  }
  const { images } = all!;
  // The sum takes up the rounding of shares such as 0.29, a hundred times which is a little less than 29.
  const share = Math.floor(validationShare * images + 1e-9);
  const count = share === 0 && validationShare > 0 && images >= ENOUGH_IMAGES ? 1 : share;
  return {
    train: { ...whole(all!), from: count },
    validation: { ...whole(all!), to: count, duplicates: 0 },
  };
}

/** Throws `Dataset.Overlap` where the manifests share an image. */
async function refuseOverlap(train: SortedImages, validation: SortedImages, tick: () => void): Promise<void> {
  const shared = await sharedImages(train.read(), validation.read(), tick);
  if (shared.example === undefined) return;
  throw new Failure(
    'Dataset.Overlap',
    `${sharedAre(shared)} both in ${train.file} and in ${validation.file}.`,
    {
      subject: shared.example,
      hint: 'A validation on images that were trained on says nothing: remove them from one of the two.',
    },
  );
}

/** The images of a part, in order. */
export async function* imagesOf({ source, from, to }: SnapshotPart): AsyncGenerator<SortedImage> {
  if (from === to) return;
  let position = 0;
  for await (const image of source.read()) {
    if (position++ < from) continue;
    yield image;
    if (position === to) return;
  }
}
