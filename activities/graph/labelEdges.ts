import { readSnapshotIndex, readSnapshotRows } from '../../data/dataset/snapshot.ts';
import { Failure } from '../../data/failure.ts';
import type { GraphEdge } from '../../data/graphFile.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { snapshotFolder } from '../../data/training/trainLayout.ts';
import { coOccurrenceEdges, LabelCounts } from '../../model/graph/coOccurrence.ts';

/** Images read at a time. */
const ROWS = 4000;

/**
 * Edges of co-occurrence from the training labels in a folder's snapshot, which has those of seen categories only. Memory
 * is that of the pairs of categories that occur, whatever the number of images.
 *
 * @param categories those that the snapshot was made with, in the same order.
 * @throws Failure `Run.Incomplete` where there is no snapshot; `Dataset.OtherCategories` where it is of others.
 */
export async function labelEdges(
  folder: ObjectStore,
  categories: readonly { name: string }[],
  report: (images: number) => void,
): Promise<GraphEdge[]> {
  const train = snapshotFolder('train');
  const index = await readSnapshotIndex(folder, train);
  const subject = folder.uri;
  if (index === undefined) throw new Failure('Run.Incomplete', `${subject} holds no snapshot.`, { subject });
  if (index.positives.length !== categories.length)
    throw new Failure(
      'Dataset.OtherCategories',
      `The snapshot in ${subject} is of ${index.positives.length} categories, not of these ${categories.length}.`,
      { subject, hint: 'Build the graph for the categories that the snapshot was made with.' },
    );
  const counts = new LabelCounts(categories.length);
  for (let from = 0; from < index.images; from += ROWS) {
    for (const { present } of await readSnapshotRows(
      folder,
      train,
      from,
      Math.min(index.images, from + ROWS),
    ))
      counts.add(present);
    report(counts.images);
  }
  return coOccurrenceEdges(
    counts,
    categories.map(({ name }) => name),
  );
}
