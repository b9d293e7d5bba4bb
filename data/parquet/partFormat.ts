import * as zlib from 'node:zlib';
import { Failure } from '../failure.ts';

export const COMPRESSIONS = ['snappy', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** How a part is written; its rows are the same whatever it says. */
export interface PartFormat {
  compression: Compression;
  /** Rows of a row group at most; null: as many as memory allows. */
  rowGroupRows: number | null;
  /** Whether embeddings are written as 16-bit floats, which is what readers then give. */
  halfEmbedding: boolean;
}

/** What the parts of runs are written in: every reader knows it. */
export const RUN_FORMAT: PartFormat = { compression: 'snappy', rowGroupRows: null, halfEmbedding: false };

/** The writer's options for a compression. Throws `Setup.Zstd` where this Node has none. */
export function codecOptions(compression: Compression) {
  if (compression === 'snappy') return { codec: 'SNAPPY' } as const;
  // Node 22.15 and 23.8 brought it.
  const compress = (zlib as Partial<typeof zlib>).zstdCompressSync;
  if (!compress)
    throw new Failure('Setup.Zstd', `Node ${process.versions.node} has no zstd; 22.15 and newer have.`, {
      hint: 'Write with snappy, or with a newer Node.',
    });
  return {
    codec: 'ZSTD',
    compressors: { ZSTD: (input: Uint8Array) => new Uint8Array(compress(input)) },
  } as const;
}
