import type { DeviceOptions } from '../../model/onnx/session.ts';
import type { ShownImage } from './images/shownImage.ts';

/** A report before it is a page. */
export interface Report {
  kind: 'run' | 'model' | 'comparison';
  title: string;
  /** What the kind's own script shows, as JSON has it. */
  data: object;
  /** Of categories: everything else says them by their indices here. */
  names: readonly string[];
  /** Of which vocabulary each of the names is; absent where there is but one. */
  vocabularies?: readonly (string | null)[];
  relations: readonly string[];
  /** The most telling first: as many as there is room for are shown. */
  images: ShownImage[];
  /** A page beside the report that draws a category graph; absent where there is none. */
  graph?: string;
}

export interface ReportOptions {
  /** Most images that are shown. */
  images: number;
  /** About so many rows of a run are read; of a larger one some shards. */
  maxRows: number;
  /** Most test images of an evaluation that are scored again. */
  scoredImages: number;
  /** Whether scores are explained, for which the model is needed. */
  evidence: boolean;
  device: DeviceOptions;
  /** Told what is being done. */
  notify(line: string): void;
}
