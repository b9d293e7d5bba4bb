/** Counts of finished images: what workflows, activities and commands add up. A pure leaf. */
export interface Counts {
  images: number;
  tagged: number;
  failuresByCode: Record<string, number>;
}

export const noCounts = (): Counts => ({ images: 0, tagged: 0, failuresByCode: {} });

/** The sum of two counts. */
export function addCounts(a: Counts, b: Counts): Counts {
  const failuresByCode = { ...a.failuresByCode };
  for (const [code, count] of Object.entries(b.failuresByCode))
    failuresByCode[code] = (failuresByCode[code] ?? 0) + count;
  return { images: a.images + b.images, tagged: a.tagged + b.tagged, failuresByCode };
}

export const failedOf = ({ images, tagged }: Counts): number => images - tagged;
