import sharp from 'sharp';
import { randomStream, type RandomStream } from '../../random.ts';
import type { IconSet } from '../art/iconSet.ts';
import type { Sprites } from '../art/sprites.ts';
import type { Domain, WorldSplit } from '../art/styles.ts';
import { labelsOf } from '../recipe/categories.ts';
import type { ObjectName } from '../recipe/objects.ts';
import type { ContextName } from '../recipe/kinds.ts';
import { paintBackground } from './background.ts';
import { describeScene, type Said } from './captions.ts';
import { paintObject, type Canvas } from './paint.ts';
import { planScene, SCENE_PX, type PlannedObject } from './plan.ts';

/** An object as it is seen. */
export interface SeenObject {
  name: ObjectName;
  /** `<icon set>/<icon>`. */
  picture: string;
  /** Of its visible pixels: left, top, width, height. null where nothing of it is seen. */
  box: [number, number, number, number] | null;
  /** Pixels of it that no other object covers. */
  visiblePixels: number;
  /** Lengths of runs over the rows from the top: pixels that are not the object's and those that are, in turns. */
  visibleRuns: number[];
}

/** What is true of a scene. */
export interface SceneTruth {
  context: ContextName;
  /** From the back to the front. */
  objects: SeenObject[];
  /** Of categories seen and unseen, in their order: of objects with enough visible pixels, and the context. */
  labels: string[];
}

/** A finished scene. */
export interface Scene {
  jpeg: Uint8Array;
  truth: SceneTruth;
  /** null for target scenes, which have labels only. */
  said: Said | null;
}

/** Visible pixels from which an object is labelled, inclusive. */
export const LABELLED_PX = 16;

/** What a scene is determined by, beside the art and the code. */
export interface SceneName {
  domain: Domain;
  split: WorldSplit;
  seed: number;
  index: number;
}

/** Makes a scene: the same one whenever and wherever it is asked for with the same builds of Node and sharp. */
export async function makeScene(
  { domain, split, seed, index }: SceneName,
  sets: readonly IconSet[],
  sprites: Sprites,
): Promise<Scene> {
  const stream = randomStream('world', domain, split, seed, index);
  for (;;) {
    const { context, objects: planned } = planScene(stream, domain, sets);
    const canvas = await paintScene(stream, context, planned, sprites);
    const objects = planned.map((object, i) => seenObject(object, canvas.owners, i + 1));
    const labelled = objects.filter(({ visiblePixels }) => visiblePixels >= LABELLED_PX);
    // A scene that shows nothing is drawn anew.
    if (labelled.length === 0) continue;
    const pixelsOf = new Map<ObjectName, number>();
    for (const { name, visiblePixels } of labelled)
      pixelsOf.set(name, (pixelsOf.get(name) ?? 0) + visiblePixels);
    const jpeg = await sharp(canvas.pixels, { raw: { width: SCENE_PX, height: SCENE_PX, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer();
    return {
      jpeg,
      truth: { context, objects, labels: labelsOf(pixelsOf.keys(), context) },
      said: domain === 'web' ? describeScene(stream, { context, objects: pixelsOf }) : null,
    };
  }
}

async function paintScene(
  stream: RandomStream,
  context: ContextName,
  objects: readonly PlannedObject[],
  sprites: Sprites,
): Promise<Canvas> {
  const canvas: Canvas = {
    pixels: paintBackground(stream, context),
    owners: new Uint8Array(SCENE_PX * SCENE_PX),
  };
  for (const [i, object] of objects.entries())
    paintObject(canvas, object, await sprites.get(object.set, object.icon), i + 1);
  return canvas;
}

function seenObject({ name, set, icon }: PlannedObject, owners: Uint8Array, owner: number): SeenObject {
  let [left, top, right, bottom] = [SCENE_PX, SCENE_PX, -1, -1];
  let visiblePixels = 0;
  const visibleRuns: number[] = [];
  let isInside = false;
  let runStart = 0;
  // Not the array's iterator: it takes most of a scene's time.
  for (let at = 0; at < owners.length; at++) {
    if ((owners[at] === owner) !== isInside) {
      visibleRuns.push(at - runStart);
      runStart = at;
      isInside = !isInside;
    }
    if (!isInside) continue;
    visiblePixels++;
    const x = at % SCENE_PX;
    const y = (at - x) / SCENE_PX;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  visibleRuns.push(owners.length - runStart);
  return {
    name,
    picture: `${set.style.name}/${icon}`,
    box: visiblePixels === 0 ? null : [left, top, right - left + 1, bottom - top + 1],
    visiblePixels,
    visibleRuns,
  };
}
