import pMap from 'p-map';
import { SUCCESS } from '../run/layout.ts';
import type { ObjectStore } from '../store/store.ts';
import { openIconSets, type IconSet } from './art/iconSet.ts';
import { worldNotice } from './art/notice.ts';
import { createSprites, type Sprites } from './art/sprites.ts';
import { WORLD_CATEGORIES } from './recipe/categories.ts';
import { worldGraph } from './recipe/graph.ts';
import { makeScene } from './scene/scene.ts';
import { manifestLine, parseTruth, truthLine } from './truthRow.ts';
import { claimWorld, worldSpec, type WorldRequest, type WorldSpec } from './worldSpec.ts';

/** Scenes whose truth is one object: what is lost where a command is killed. */
const PART_SCENES = 500;

/** Scenes at work at a time: one is painted while others are encoded and written. */
const CONCURRENCY = 16;

/** Where a folder of scenes holds what. */
const KEYS = {
  image: (index: number) => `images/${String(index).padStart(7, '0')}.jpg`,
  truth: (part: number) => `truth/part-${String(part).padStart(5, '0')}.jsonl`,
  manifest: 'manifest.jsonl',
  categories: 'categories.json',
  graph: 'graph.json',
  notice: 'NOTICE.txt',
};

export interface MadeWorld {
  scenes: number;
  /** Of them, those that this call drew: others were there already. */
  drawn: number;
}

/**
 * Fills a folder with scenes: `images/`, `truth/`, `manifest.jsonl`, `categories.json`, `graph.json`, `NOTICE.txt`, and
 * `_SUCCESS` when all of it is whole. The same request yields the same bytes, whatever was interrupted; what is there is
 * not made again.
 *
 * @param report told how many scenes there are, now and then
 * @throws Failure `World.NoArt`, `World.Different`, failures of the store
 */
export async function makeWorld(
  store: ObjectStore,
  asked: WorldRequest,
  report: (scenes: number) => void = () => undefined,
): Promise<MadeWorld> {
  const sets = await openIconSets(asked.split);
  const spec = worldSpec(asked, sets);
  await claimWorld(store, spec);
  if ((await store.head(SUCCESS)) !== undefined) return { scenes: spec.count, drawn: 0 };

  const sprites = createSprites();
  const lines: string[] = [];
  let drawn = 0;
  for (let first = 0; first < spec.count; first += PART_SCENES) {
    const key = KEYS.truth(first / PART_SCENES);
    const indices = Array.from({ length: Math.min(PART_SCENES, spec.count - first) }, (_, i) => first + i);
    let truth: string;
    if ((await store.head(key)) === undefined) {
      truth = await drawPart(store, spec, indices, sets, sprites);
      await store.put(key, truth);
      drawn += indices.length;
    } else truth = Buffer.from((await store.get(key)).body).toString();
    lines.push(...parseTruth(truth).map((row) => manifestLine(row, spec.split)));
    report(first + indices.length);
  }

  const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
  await store.put(KEYS.categories, json(WORLD_CATEGORIES), { contentType: 'application/json' });
  await store.put(KEYS.graph, json(worldGraph()), { contentType: 'application/json' });
  await store.put(KEYS.notice, worldNotice(sets), { contentType: 'text/plain' });
  await store.put(KEYS.manifest, lines.join(''));
  await store.put(SUCCESS, '');
  return { scenes: spec.count, drawn };
}

/** Draws and writes the scenes of these indices; the lines of their truth. */
async function drawPart(
  store: ObjectStore,
  { domain, split, seed }: WorldSpec,
  indices: readonly number[],
  sets: readonly IconSet[],
  sprites: Sprites,
): Promise<string> {
  const rows = await pMap(
    indices,
    async (index) => {
      const { jpeg, truth, said } = await makeScene({ domain, split, seed, index }, sets, sprites);
      const uri = KEYS.image(index);
      await store.put(uri, jpeg, { contentType: 'image/jpeg' });
      return truthLine({ uri, ...truth, ...said });
    },
    { concurrency: CONCURRENCY },
  );
  return rows.join('');
}

/** Keys of a folder's first images, at most `limit` of `count`. */
export const firstImages = (count: number, limit: number): string[] =>
  Array.from({ length: Math.min(count, limit) }, (_, index) => KEYS.image(index));
