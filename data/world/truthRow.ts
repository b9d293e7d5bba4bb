import type { WorldSplit } from './art/styles.ts';
import { WORLD_CATEGORIES } from './recipe/categories.ts';
import type { Said } from './scene/captions.ts';
import type { SceneTruth } from './scene/scene.ts';

/** A line of `truth/part-NNNNN.jsonl`: everything that is known of a scene. */
export interface TruthRow extends SceneTruth, Partial<Said> {
  /** Of the image, from the folder. */
  uri: string;
}

const SEEN = new Set(WORLD_CATEGORIES.filter(({ split }) => split === 'seen').map(({ name }) => name));

export const truthLine = (row: TruthRow): string => `${JSON.stringify(row)}\n`;

export const parseTruth = (lines: string): TruthRow[] =>
  lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TruthRow);

/** A line of the manifest: the labels (of a training split those of seen categories only), and what is said. */
export function manifestLine({ uri, labels, captions, mentions }: TruthRow, split: WorldSplit): string {
  const told = split === 'train' ? labels.filter((name) => SEEN.has(name)) : labels;
  return `${JSON.stringify({ uri, labels: told, captions, mentions })}\n`;
}
