import { compareUtf8 } from '../../utf8Order.ts';
import type { PlanEntry } from './plan.ts';

/** A place in the order of a run's objects: by source, then by UTF-8 bytes of the key. */
export interface Position {
  source: number;
  key: string;
}

export const positionOf = ({ source = 0, key }: Pick<PlanEntry, 'source' | 'key'>): Position => ({
  source,
  key,
});

/** Negative where `a` comes before `b`, 0 where they are the same object. */
export function compareEntries(
  a: Pick<PlanEntry, 'source' | 'key'>,
  b: Pick<PlanEntry, 'source' | 'key'>,
): number {
  return (a.source ?? 0) - (b.source ?? 0) || compareUtf8(a.key, b.key);
}
