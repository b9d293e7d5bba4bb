import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { snapshotFolder } from '../../../data/training/trainLayout.ts';
import type { ObjectStore } from '../../../data/store/store.ts';

/** Slices kept in memory: those of the shards that a worker has in hand, and of the round after. */
const SLICES = 4;

/** Reads rows [from, to) of the training snapshot; the next round of a shard needs the same again. */
export function trainingRows(snapshots: ObjectStore): (from: number, to: number) => Promise<SnapshotRow[]> {
  const slices = new Map<string, Promise<SnapshotRow[]>>();
  return (from, to) => {
    const key = `${from} ${to}`;
    const rows = slices.get(key) ?? readSnapshotRows(snapshots, snapshotFolder('train'), from, to);
    slices.delete(key);
    slices.set(key, rows);
    for (const oldest of [...slices.keys()].slice(0, Math.max(0, slices.size - SLICES)))
      slices.delete(oldest);
    rows.catch(() => slices.delete(key));
    return rows;
  };
}
