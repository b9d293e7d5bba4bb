import type { RandomStream } from '../../random.ts';
import type { IconSet } from '../art/iconSet.ts';
import type { Domain } from '../art/styles.ts';
import { CONTEXT_NAMES, type ContextName } from '../recipe/kinds.ts';
import { OBJECT_NAMES, OBJECTS, type ObjectName, type WorldObject } from '../recipe/objects.ts';
import { between, chance, pick } from './draw.ts';

/** Width and height of a scene, in pixels. */
export const SCENE_PX = 96;

/** An object as it is to be drawn. Lengths in pixels of the scene, from its left upper corner. */
export interface PlannedObject {
  name: ObjectName;
  set: IconSet;
  icon: string;
  /** Its middle. */
  x: number;
  y: number;
  /** Its longer side, before rotation. */
  size: number;
  /** In radians, clockwise. */
  turn: number;
  mirrored: boolean;
  colours: ColourChange;
}

/** What is done to a picture's colours. */
export interface ColourChange {
  /** Rotation of the hue, in radians. */
  hue: number;
  /** Factors; 1 changes nothing. */
  saturation: number;
  brightness: number;
}

/** What is in a scene; the last object lies on top. */
export interface ScenePlan {
  context: ContextName;
  objects: PlannedObject[];
}

interface Composition {
  /** How likely 1, 2, ... objects are. */
  counts: readonly number[];
  /** Smallest and largest size. */
  size: readonly [number, number];
  /** How much of an object's size may lie beyond the frame, as a share. */
  cropped: number;
  /** Largest rotation to either side. */
  turn: number;
}

const COMPOSITION: Readonly<Record<Domain, Composition>> = {
  web: { counts: [0.35, 0.4, 0.25], size: [20, 88], cropped: 0.15, turn: 0.25 },
  target: { counts: [0.06, 0.15, 0.27, 0.27, 0.15, 0.1], size: [10, 80], cropped: 0.3, turn: 0.45 },
};

/** How likely the next object is one that is typical of the context, or a sibling of the last; else it is any. */
const TYPICAL = 0.72;
const SIBLING = 0.14;

const TYPICAL_OF = new Map<ContextName, ObjectName[]>(
  CONTEXT_NAMES.map((context) => [
    context,
    OBJECT_NAMES.filter((name) => (OBJECTS[name] as WorldObject).contexts.includes(context)),
  ]),
);

const SIBLINGS_OF = new Map<ObjectName, ObjectName[]>(
  OBJECT_NAMES.map((name) => {
    const { kinds }: WorldObject = OBJECTS[name];
    return [
      name,
      OBJECT_NAMES.filter(
        (other) =>
          other !== name && (OBJECTS[other] as WorldObject).kinds.some((kind) => kinds.includes(kind)),
      ),
    ];
  }),
);

/** Draws what is in a scene, of objects that the sets have pictures of. */
export function planScene(stream: RandomStream, domain: Domain, sets: readonly IconSet[]): ScenePlan {
  const composition = COMPOSITION[domain];
  const drawable = (names: readonly ObjectName[]): ObjectName[] =>
    names.filter((name) => sets.some((set) => set.iconsOf.has(name)));

  const context = pick(stream, CONTEXT_NAMES);
  const nextName = (last: ObjectName | undefined): ObjectName => {
    const which = stream.uniform();
    if (which < TYPICAL) return pick(stream, drawable(TYPICAL_OF.get(context)!));
    const siblings = last === undefined ? [] : drawable(SIBLINGS_OF.get(last)!);
    return pick(stream, which < TYPICAL + SIBLING && siblings.length > 0 ? siblings : drawable(OBJECT_NAMES));
  };
  const place = (name: ObjectName): PlannedObject => {
    const set = pick(
      stream,
      sets.filter(({ iconsOf }) => iconsOf.has(name)),
    );
    const [smallest, largest] = composition.size;
    const size = smallest * (largest / smallest) ** stream.uniform();
    const margin = size * (0.5 - composition.cropped);
    return {
      name,
      set,
      icon: pick(stream, set.iconsOf.get(name)!),
      x: between(stream, margin, SCENE_PX - margin),
      y: between(stream, margin, SCENE_PX - margin),
      size,
      turn: between(stream, -composition.turn, composition.turn),
      mirrored: chance(stream, 0.5),
      colours: {
        hue: between(stream, -0.3, 0.3),
        saturation: between(stream, 0.7, 1.25),
        brightness: between(stream, 0.75, 1.15),
      },
    };
  };

  const objects: { object: PlannedObject; depth: number }[] = [];
  for (let left = drawCount(stream.uniform(), composition.counts); left > 0; left--) {
    const object = place(nextName(objects.at(-1)?.object.name));
    // Large things mostly lie behind small ones, as what is near the ground and far away does; else few would be seen.
    objects.push({ object, depth: object.size * between(stream, 0.6, 1.6) });
  }
  objects.sort((a, b) => b.depth - a.depth);
  return { context, objects: objects.map(({ object }) => object) };
}

function drawCount(uniform: number, chances: readonly number[]): number {
  let sum = 0;
  const index = chances.findIndex((chance) => uniform < (sum += chance));
  // The chances may add up to a little less than 1.
  return index < 0 ? chances.length : index + 1;
}
