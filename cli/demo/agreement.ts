import { Failure } from '../../data/failure.ts';
import type { Tag } from '../../data/parquet/tagRows.ts';
import { evaluate } from '../../model/metrics.ts';
import type { Agreement, DemoCategory, Figures } from './assets.ts';

/** How far a figure may be from the one expected, in points. */
export const TOLERANCE = 0.5;

/**
 * How well rows that hold the score of every category agree with the truth.
 *
 * @param labels the true labels of each key.
 * @throws Failure `Demo.Rows` unless each key has one row, and each row a score for each category.
 */
export function agreementOf(
  rows: readonly { key: string; tags: readonly Pick<Tag, 'label' | 'score'>[] }[],
  labels: ReadonlyMap<string, ReadonlySet<string>>,
  categories: readonly DemoCategory[],
): Agreement {
  const columns = new Map(categories.map(({ name }, c) => [name, c]));
  const scores = new Float32Array(labels.size * columns.size); // [N, C]
  const truth = new Int8Array(scores.length).fill(-1); // [N, C]
  const missing = new Set(labels.keys());
  rows.forEach(({ key, tags }, i) => {
    if (!missing.delete(key) || tags.length !== columns.size)
      throw new Failure('Demo.Rows', `${key} has ${tags.length} tags or more than one row.`);
    for (const { label, score } of tags) scores[i * columns.size + columns.get(label)!] = score;
    for (const label of labels.get(key)!) truth[i * columns.size + columns.get(label)!] = 1;
  });
  const [first] = missing;
  if (first !== undefined) throw new Failure('Demo.Rows', `${missing.size} scenes (${first}) have no row.`);

  const unseen = [...categories.keys()].filter((c) => categories[c]!.split === 'unseen');
  const figures = (scored?: number[]): Figures => {
    const { mAP, f1 } = evaluate(scores, truth, {
      categoryCount: columns.size,
      topK: [3, 5],
      ...(scored && { categories: Int32Array.from(scored) }),
    });
    return { mAP: 100 * mAP, 'F1@3': 100 * f1[3]!.f1, 'F1@5': 100 * f1[5]!.f1 };
  };
  return { ZSL: figures(unseen), GZSL: figures() };
}

/** The largest difference between two agreements, in points. */
export function largestDifference(a: Agreement, b: Agreement): number {
  const values = ({ ZSL, GZSL }: Agreement) => [...Object.values(ZSL), ...Object.values(GZSL)];
  const others = values(b);
  return Math.max(...values(a).map((value, i) => Math.abs(value - others[i]!)));
}
