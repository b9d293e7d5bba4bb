import { createDecodePool, type DecodePool } from '../data/images/decodePool.ts';
import type { ImageLimits } from '../data/images/limits.ts';
import type { PreprocessConfig } from '../data/images/preprocessConfig.ts';

/** Decode pools by what they decode for; one in use at a time is the rule, so only the latest is kept open. */
export class Decoders {
  private readonly processes: number;
  private current: { key: string; pool: DecodePool } | undefined;

  constructor(processes: number) {
    this.processes = processes;
  }

  /** The pool for a model's preprocessing and a run's limits. */
  get(preprocess: PreprocessConfig, limits: ImageLimits): DecodePool {
    const key = JSON.stringify([preprocess, limits]);
    if (this.current?.key !== key) {
      void this.current?.pool.close();
      this.current = { key, pool: createDecodePool({ processes: this.processes, preprocess, ...limits }) };
    }
    return this.current.pool;
  }

  async close(): Promise<void> {
    await this.current?.pool.close();
  }
}
