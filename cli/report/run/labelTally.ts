import type { TagRow } from '../../../data/parquet/tagRows.ts';
import { compareLabels, labelKey } from '../labels.ts';
import { SCORE_BINS, type LabelFigures } from './runFigures.ts';

/** Bins while the range of scores is not known: of [-1, 1], where all scores lie. */
const FINE_BINS = 1000;

interface Tally {
  vocabulary: string | null;
  label: string;
  tags: number;
  lowest: number;
  highest: number;
  fine: Uint32Array;
}

/** Counts labels and their scores over any number of rows; memory follows the number of labels. */
export class LabelTally {
  rows = 0;
  tags = 0;
  private readonly labels = new Map<string, Tally>();

  add({ tags }: TagRow): void {
    this.rows++;
    this.tags += tags.length;
    for (const tag of tags) {
      const { vocabulary, label, score } = tag;
      const key = labelKey(tag);
      let tally = this.labels.get(key);
      if (!tally) {
        const none = { tags: 0, lowest: Infinity, highest: -Infinity, fine: new Uint32Array(FINE_BINS) };
        this.labels.set(key, (tally = { vocabulary, label, ...none }));
      }
      tally.tags++;
      tally.lowest = Math.min(tally.lowest, score);
      tally.highest = Math.max(tally.highest, score);
      tally.fine[Math.max(0, Math.min(FINE_BINS - 1, Math.floor(((score + 1) * FINE_BINS) / 2)))]!++;
    }
  }

  /** Labels, the most frequent first, and the range that their bins divide. */
  figures(): { range: [number, number]; labels: LabelFigures[] } {
    const tallies = [...this.labels.values()];
    const lowest = Math.floor(20 * tallies.reduce((low, tally) => Math.min(low, tally.lowest), 1)) / 20;
    const highest = Math.ceil(20 * tallies.reduce((high, tally) => Math.max(high, tally.highest), -1)) / 20;
    const width = Math.max(highest - lowest, 0.05) / SCORE_BINS;
    const labels = tallies.map(({ fine, ...figures }) => {
      const bins = new Array<number>(SCORE_BINS).fill(0);
      fine.forEach((count, i) => {
        const score = ((i + 0.5) * 2) / FINE_BINS - 1;
        const bin = Math.floor((score - lowest) / width);
        if (count > 0) bins[Math.max(0, Math.min(SCORE_BINS - 1, bin))]! += count;
      });
      return { ...figures, bins };
    });
    labels.sort((a, b) => b.tags - a.tags || compareLabels(a, b));
    return { range: [lowest, lowest + SCORE_BINS * width], labels };
  }
}
