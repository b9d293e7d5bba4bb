/** An image as a report's page has it; names are indices in the page's list of names. */
export interface ShownImage {
  key: string;
  source: string;
  /** In pixels, upright; null where the image was not read. */
  width: number | null;
  height: number | null;
  /** `data:` URI, or null where the image cannot be shown, with the reason. */
  thumbnail: string | null;
  unshown: string | null;
  /** By vocabulary, and within one by descending score. */
  tags: ShownTag[];
  /** Labels that are present, where they are known. */
  present: number[] | null;
  /** Where its patches are; null without evidence. */
  grid: PatchGrid | null;
}

export interface ShownTag {
  name: number;
  /** As it was written. */
  score: number;
  evidence: ShownEvidence | null;
}

/** The square that the model saw, as shares of the upright image's width and height. */
export interface PatchGrid {
  left: number;
  top: number;
  /** Of one patch. */
  width: number;
  height: number;
  /** Patches in a row, and rows. */
  side: number;
}

export interface ShownEvidence {
  /** Raw: the whole score, by the global feature, by the kept patches (null without ISR), before messages. */
  score: number;
  global: number;
  local: number | null;
  start: number;
  /** [index, probability], the most probable first. */
  patches: [number, number][];
  /** [name, indices of relations, change], the largest changes first. */
  neighbours: [number, number[], number][];
  /** Neighbours that are not listed: their changes are smaller. */
  others: number;
}
