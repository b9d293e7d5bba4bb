import { sharedAre, sharedImages } from '../../data/dataset/sharedImages.ts';
import { sortManifest } from '../../data/dataset/snapshot.ts';
import { snapshotRows } from '../../data/evaluation/evaluationSnapshots.ts';
import { Failure } from '../../data/failure.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { snapshotFolder, SNAPSHOTS, type SnapshotName } from '../../data/training/trainLayout.ts';
import type { FreezingScope } from './freezeData.ts';
import { pipelineCategories, type Pipeline } from './openPipeline.ts';

const USES: Readonly<Record<SnapshotName, string>> = {
  train: 'trained on',
  validation: 'held back to calibrate on',
};

/**
 * Says before anything is trained what would make its figures worthless.
 *
 * @param folder has the training data as snapshots
 * @throws Failure `Dataset.Overlap` where an image is both tested on and trained on or held back, and those of reading the
 *   manifest of images to test on
 */
export async function refuseTestedTwice(
  pipeline: Pipeline,
  folder: ObjectStore,
  { report, signal }: FreezingScope,
): Promise<void> {
  const { test, settings } = pipeline.spec;
  if (test === null) return;
  const meaning = {
    kind: 'labels',
    categories: await pipelineCategories(pipeline),
    unlisted: settings.evaluate.unlisted,
  } as const;
  let done = 0;
  const tested = await sortManifest(test, { ...meaning, output: folder, signal }, () => report(++done));
  try {
    for (const name of SNAPSHOTS) {
      const rows = snapshotRows({ store: folder, folder: snapshotFolder(name) }, signal);
      const shared = await sharedImages(tested.read(), rows);
      if (shared.example === undefined) continue;
      throw new Failure('Dataset.Overlap', `${sharedAre(shared)} both tested on and ${USES[name]}.`, {
        subject: shared.example,
        hint: `No model may be judged by such images: remove them from ${test}, or from the manifest of the others.`,
      });
    }
  } finally {
    await tested.remove();
  }
}
