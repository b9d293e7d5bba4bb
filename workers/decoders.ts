import type { Decoder } from '../activities/tag/dependencies.ts';
import { Failure, isFailure } from '../data/failure.ts';
import { createDecodePool, type DecodePool } from '../data/images/decodePool.ts';
import type { ImageLimits } from '../data/images/limits.ts';
import type { PreprocessConfig } from '../data/images/preprocessConfig.ts';

interface OpenPool {
  pool: DecodePool;
  inFlight: number;
}

/**
 * Decode pools by what they decode for. A worker may have shards of several runs in hand, so a pool is closed only when
 * another is needed and nothing is in flight in it.
 */
export class Decoders {
  private readonly processes: number;
  private readonly pools = new Map<string, OpenPool>();
  private readonly closing: Promise<void>[] = [];
  private closed = false;

  constructor(processes: number) {
    this.processes = processes;
  }

  /** The decoder for a model's preprocessing and a run's limits. */
  get(preprocess: PreprocessConfig, limits: ImageLimits): Decoder {
    const key = JSON.stringify([preprocess, limits]);
    const create = () => createDecodePool({ processes: this.processes, preprocess, ...limits });
    // Its processes start while the run's model is being opened.
    this.open(key, create);
    return {
      decode: async (body, options) => {
        const open = this.open(key, create);
        open.inFlight++;
        try {
          return await open.pool.decode(body, options);
        } catch (error) {
          // A pool that could not start its processes takes no more images; the next shard tries with a new one.
          if (isFailure(error, 'Decode.') && this.pools.get(key) === open) this.pools.delete(key);
          throw error;
        } finally {
          open.inFlight--;
        }
      },
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.closing, ...[...this.pools.values()].map(({ pool }) => pool.close())]);
  }

  private open(key: string, create: () => DecodePool): OpenPool {
    const known = this.pools.get(key);
    if (this.closed) throw new Failure('Decode.Closed', 'The worker is shutting down.', { retryable: true });
    if (known) return known;
    for (const [other, { pool, inFlight }] of this.pools) {
      if (inFlight > 0) continue;
      this.pools.delete(other);
      this.closing.push(pool.close());
    }
    const opened = { pool: create(), inFlight: 0 };
    this.pools.set(key, opened);
    return opened;
  }
}
