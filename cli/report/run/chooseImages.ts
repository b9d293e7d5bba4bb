import type { TagRow } from '../../../data/parquet/tagRows.ts';
import { compareLabels, labelKey, type Label } from '../labels.ts';
import { orderOf } from './runFigures.ts';

/** Images of each label among which the shown ones are chosen. */
const KEPT_PER_LABEL = 8;

/** An image of a label, with its score. */
interface Best {
  row: TagRow;
  score: number;
}

/** Of so many images that are chosen, so many are any of the run's rather than a label's best. */
const TURNS = 10;
const DRAWN_TURNS = 3;

/**
 * Chooses the images that a report shows, in one pass over a run's rows: of every label those with the highest scores, in
 * turns, and some drawn from all. The same rows give the same images, in whatever parts they come.
 */
export class ImageChoice {
  private readonly limit: number;
  private readonly labels = new Map<string, { label: Label; images: number; best: Best[] }>();
  private drawn: { row: TagRow; order: string }[] = [];

  /** @param limit the most images that are chosen */
  constructor(limit: number) {
    this.limit = limit;
  }

  add(row: TagRow): void {
    for (const tag of row.tags) {
      const { score } = tag;
      const key = labelKey(tag);
      let known = this.labels.get(key);
      if (!known) this.labels.set(key, (known = { label: tag, images: 0, best: [] }));
      known.images++;
      const kept = known.best;
      if (kept.length === KEPT_PER_LABEL && !(score > kept.at(-1)!.score)) continue;
      kept.push({ row, score });
      kept.sort((a, b) => b.score - a.score || nameOf(a.row).localeCompare(nameOf(b.row)));
      kept.length = Math.min(kept.length, KEPT_PER_LABEL);
    }
    this.drawn.push({ row, order: orderOf(nameOf(row)) });
    if (this.drawn.length > 4 * this.limit) this.cutDrawn();
  }

  /** The most telling first, so that any number of them from the start is a good choice. */
  chosen(): TagRow[] {
    this.cutDrawn();
    const rows = new Map<string, TagRow>();
    const labels = [...this.labels.values()].sort(
      (a, b) => b.images - a.images || compareLabels(a.label, b.label),
    );
    const best = Array.from({ length: KEPT_PER_LABEL }, (_, rank) =>
      labels.flatMap((label) => label.best[rank] ?? []),
    ).flat();
    const drawn = [...this.drawn];
    for (let turn = 0; rows.size < this.limit; turn++) {
      const isDrawn = turn % TURNS >= TURNS - DRAWN_TURNS;
      const next = isDrawn ? (drawn.shift() ?? best.shift()) : (best.shift() ?? drawn.shift());
      if (!next) break;
      rows.set(nameOf(next.row), next.row);
    }
    return [...rows.values()];
  }

  private cutDrawn(): void {
    this.drawn.sort((a, b) => (a.order < b.order ? -1 : 1));
    this.drawn = this.drawn.slice(0, this.limit);
  }
}

const nameOf = ({ source, key }: TagRow): string => `${source}\0${key}`;
