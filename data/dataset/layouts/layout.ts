import type { Category } from '../../categories.ts';

/** A data set as its publishers lay it out, opened: what it can be asked for besides its images' bytes. */
export interface Layout {
  /** What labels are of; those of other categories are dropped. */
  categories: Category[];
  /** What is true of a category that nothing is said about. */
  unlisted: 'absent' | 'unknown';
  /** What the files say, in any order; several records may be of one image. */
  records(): AsyncIterable<LayoutRecord>;
  /** Labels that were dropped, complete when the records are read. */
  dropped: DroppedLabels;
}

/** Something that is said of an image. Categories by their indices. */
export interface LayoutRecord {
  /** Of the image's file, below the folder of images, with `/`. */
  path: string;
  present: number[];
  absent: number[];
  /** Whether a machine says so: what people say of the same category counts instead. */
  isMachine: boolean;
}

export interface DroppedLabels {
  /** Labels of categories that exist and were not asked for. */
  notListed: number;
  /** Labels of what the data set does not know, and one such. */
  unknown: number;
  unknownExample: string | null;
}

export const noneDropped = (): DroppedLabels => ({ notListed: 0, unknown: 0, unknownExample: null });
