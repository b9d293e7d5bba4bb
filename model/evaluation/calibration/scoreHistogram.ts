/** Bins of [-1, 1]: 3e-5 wide, so that what is fitted to them is what would be fitted to the scores. */
export const SCORE_BINS = 65_536;
const WIDTH = 2 / SCORE_BINS;

/** How many scores of present and of absent categories lie where: all of a calibration's data, in constant memory. */
export interface ScoreHistogram {
  /** [SCORE_BINS] */
  positives: Float64Array;
  negatives: Float64Array;
}

export const emptyHistogram = (): ScoreHistogram => ({
  positives: new Float64Array(SCORE_BINS),
  negatives: new Float64Array(SCORE_BINS),
});

/** Adds scores of a category; label 0 is left out. scores, labels: [n] */
export function addScores(
  { positives, negatives }: ScoreHistogram,
  scores: Float32Array,
  labels: Int8Array,
): void {
  for (let i = 0; i < scores.length; i++) {
    const label = labels[i]!;
    if (label !== 0) (label > 0 ? positives : negatives)[binOf(scores[i]!)]!++;
  }
}

/** Bins with scores, from the lowest: lower edge, centre and counts. */
export function* filledBins({ positives, negatives }: ScoreHistogram): Generator<{
  edge: number;
  centre: number;
  positives: number;
  negatives: number;
}> {
  for (let bin = 0; bin < SCORE_BINS; bin++) {
    const [p, n] = [positives[bin]!, negatives[bin]!];
    if (p + n > 0)
      yield { edge: -1 + bin * WIDTH, centre: -1 + (bin + 0.5) * WIDTH, positives: p, negatives: n };
  }
}

const binOf = (score: number): number =>
  Math.max(0, Math.min(SCORE_BINS - 1, Math.floor((score + 1) / WIDTH)));
