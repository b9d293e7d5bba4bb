import { isSeen, type Category } from '../categories.ts';
import type { SnapshotName } from '../training/trainLayout.ts';
import type { SortedImage } from './sortedImages.ts';

/** An image of a snapshot; categories by their indices in the run's categories, ascending. */
export interface SnapshotRow {
  /** Canonical; `splitObjectUri` says where it is read. */
  uri: string;
  /** The image's, where the manifest says it: another one is a changed image, `Store.Changed`. */
  etag?: string;
  /** Categories that are present; in the training snapshot seen ones only. */
  present: number[];
  /** Categories that are absent, the others being unknown; null: all that are not present (in training, seen ones). */
  absent: number[] | null;
  /** In a snapshot of captions, at least one; in one of labels missing, as are mentions. */
  captions?: string[];
  mentions?: string[];
}

/** What the rows of a snapshot are for. */
export type SnapshotMeaning =
  | {
      kind: 'labels';
      /** The run's categories, whose order gives labels their indices. */
      categories: readonly Category[];
      /** What a category is that a row without `absent` does not list. */
      unlisted: 'absent' | 'unknown';
    }
  | { kind: 'captions' };

/** Everything besides the rows that says what they mean; part of the snapshot's hash. */
export function canonicalMeaning(meaning: SnapshotMeaning): string {
  const categories =
    meaning.kind === 'labels'
      ? meaning.categories.map((category) => [category.name, isSeen(category)])
      : null;
  return JSON.stringify({ version: 1, kind: meaning.kind, categories });
}

/** What makes an image the row of a snapshot; `dropped` counts its labels of unseen categories, which training lacks. */
export function rowMaker(
  meaning: SnapshotMeaning,
  name: SnapshotName,
): (image: SortedImage) => { row: SnapshotRow; dropped: number } {
  if (meaning.kind === 'captions')
    return ({ captions, mentions, ...image }) => ({
      row: { ...named(image), present: [], absent: [], captions, mentions },
      dropped: 0,
    });
  const { categories, unlisted } = meaning;
  const isKept = categories.map((category) => name === 'validation' || isSeen(category));
  const keep = (indices: number[]): number[] => indices.filter((index) => isKept[index]);
  const unsaid = unlisted === 'absent' ? null : [];
  return ({ present, absent, ...image }) => {
    const kept = keep(present);
    return {
      row: { ...named(image), present: kept, absent: absent === null ? unsaid : keep(absent) },
      dropped: present.length - kept.length,
    };
  };
}

/** An image without an etag has none, so that snapshots of manifests without etags are what they were before these. */
const named = ({ uri, etag }: Pick<SortedImage, 'uri' | 'etag'>): Pick<SnapshotRow, 'uri' | 'etag'> => ({
  uri,
  ...(etag !== null && { etag }),
});
