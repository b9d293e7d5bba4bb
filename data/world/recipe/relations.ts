/**
 * Relations that common sense has, and that the tables of objects and kinds do not say. Scenes are not drawn from them:
 * they hold in pictures as far as both ends are typical of the same contexts.
 */
import type { ContextName } from './kinds.ts';
import type { ObjectName } from './objects.ts';

/** Things that are used together, or that one does to the other; in both directions. */
export const USED_TOGETHER: readonly (readonly [ObjectName, ObjectName])[] = [
  ['wrench', 'hammer'],
  ['axe', 'hammer'],
  ['bread', 'knife'],
  ['tomato', 'knife'],
  ['cheese', 'knife'],
  ['drum', 'guitar'],
  ['piano', 'violin'],
  ['saxophone', 'trumpet'],
  ['telephone', 'laptop'],
  ['clock', 'bed'],
  ['soccer ball', 'sneaker'],
  ['basketball', 'sneaker'],
  ['tennis ball', 'sneaker'],
  ['book', 'glasses'],
  ['shirt', 'tie'],
  ['shirt', 'jeans'],
  ['glasses', 'hat'],
  ['corn', 'tractor'],
  ['sunflower', 'bee'],
  ['tulip', 'bee'],
  ['rose', 'bee'],
  ['sunflower', 'butterfly'],
  ['tulip', 'butterfly'],
  ['cake', 'balloon'],
  ['donut', 'coffee'],
  ['cookie', 'coffee'],
  ['beer', 'hot dog'],
  ['beer', 'pizza'],
  ['cheese', 'wine'],
  ['couch', 'television'],
  ['smartphone', 'camera'],
  ['telephone', 'smartphone'],
  ['helicopter', 'airplane'],
  ['ship', 'sailboat'],
  ['sheep', 'dog'],
  ['mouse', 'cat'],
  ['fish', 'cat'],
  ['banana', 'monkey'],
  ['carrot', 'rabbit'],
  ['cheese', 'mouse'],
  ['fish', 'bear'],
  ['taxi', 'ambulance'],
  ['sun', 'umbrella'],
];

/** A part, and its whole. */
export const PARTS: readonly (readonly [ObjectName | ContextName, ObjectName | ContextName])[] = [
  ['corn', 'farm'],
  ['oak', 'forest'],
  ['pine', 'forest'],
  ['palm', 'beach'],
  ['sunflower', 'farm'],
  ['piano', 'stage'],
  ['house', 'street'],
  ['sun', 'sky'],
  ['cheese', 'pizza'],
  ['tomato', 'pizza'],
  ['tomato', 'hamburger'],
  ['bread', 'hamburger'],
  ['egg', 'cake'],
  ['market', 'street'],
  ['egg', 'rooster'],
  ['strawberry', 'cake'],
];

/** Contexts that go over into each other, and how often: the strength in both directions. */
export const NEIGHBOURING_CONTEXTS: readonly (readonly [ContextName, ContextName, number])[] = [
  ['ocean', 'beach', 0.7],
  ['underwater', 'ocean', 0.5],
  ['jungle', 'forest', 0.4],
  ['restaurant', 'kitchen', 0.5],
  ['stage', 'night', 0.3],
  ['street', 'park', 0.4],
  ['savanna', 'desert', 0.3],
  ['kitchen', 'market', 0.3],
  ['ocean', 'sky', 0.3],
];
