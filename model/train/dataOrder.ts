/** Which images each step of a shard trains on: a pure function of (seed, epoch, shard). */
import { randomStream } from '../../data/random.ts';

export interface DataOrder {
  /** Rows of the snapshot; they lie in random order already (data/dataset/snapshot.ts), so slices are samples. */
  images: number;
  shards: number;
  batchSize: number;
  seed: number;
}

/** Rows [from, to) of the snapshot that a shard trains on. */
export function shardSlice({ images, shards }: DataOrder, shard: number): { from: number; to: number } {
  return { from: Math.floor((shard * images) / shards), to: Math.floor(((shard + 1) * images) / shards) };
}

/** Steps of an epoch, the same for all shards: full batches of the smallest slice, at least one. */
export function stepsPerEpoch({ images, shards, batchSize }: DataOrder): number {
  return Math.max(1, Math.floor(Math.floor(images / shards) / batchSize));
}

/** The rows of batches of a shard; `rowsOf(step)`, steps counting from 0 over all epochs, is cheap within an epoch. */
export function batchRows(order: DataOrder, shard: number): (step: number) => Uint32Array {
  const { from, to } = shardSlice(order, shard);
  const perEpoch = stepsPerEpoch(order);
  let known: { epoch: number; rows: Uint32Array } | undefined;
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (known?.epoch !== epoch) {
      const rows = randomStream('order', order.seed, epoch, shard).permutation(to - from);
      known = { epoch, rows: rows.map((row) => row + from) };
    }
    const start = (step % perEpoch) * order.batchSize;
    return known.rows.subarray(start, Math.min(start + order.batchSize, known.rows.length));
  };
}
