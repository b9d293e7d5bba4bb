import type { RandomStream } from '../../random.ts';

/** A number in [low, high). */
export const between = (stream: RandomStream, low: number, high: number): number =>
  low + (high - low) * stream.uniform();

/** Whether something of this probability happens. */
export const chance = (stream: RandomStream, probability: number): boolean => stream.uniform() < probability;

/** One of at least one item, all alike. */
export const pick = <Item>(stream: RandomStream, items: readonly Item[]): Item =>
  items[stream.integer(items.length)]!;
