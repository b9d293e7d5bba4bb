import { createDecodePool, type DecodePool } from '../../../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import { parsePreprocessConfig } from '../../../data/images/preprocessConfig.ts';
import { planShardKey, PLAN_INDEX } from '../../../data/run/layout.ts';
import { encodePlanShard, type PlanEntry, type PlanIndex } from '../../../data/run/plan/plan.ts';
import { oneSource, type TagRecord } from '../../../data/run/record.ts';
import { soleVocabulary } from '../../../data/run/vocabularies.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { SharedTagger } from '../../../activities/tag/dependencies.ts';
import { planReader, type RunContext } from '../../../activities/tag/runContext.ts';
import type { ShardOptions } from '../../../activities/tag/tagShard.ts';
import { Turn } from '../../../activities/tag/turn.ts';

const SIDE = 8;

/** A decode pool for {@link shardContext}. */
export const shardDecoder = (): DecodePool =>
  createDecodePool({
    processes: 1,
    preprocess: parsePreprocessConfig({ size: SIDE, crop_size: SIDE }),
    ...DEFAULT_IMAGE_LIMITS,
  });

/** A planned run of one shard over all objects of `source`, opened as a worker would. */
export async function shardContext(
  source: ObjectStore,
  output: ObjectStore,
  decoder: RunContext['decoder'],
): Promise<RunContext> {
  const entries: PlanEntry[] = [];
  for await (const { key, etag, sizeBytes, lastModifiedMs } of source.list())
    entries.push({ key, etag, sizeBytes, lastModifiedMs });
  const index: PlanIndex = {
    shards: 1,
    keys: entries.length,
    sizeBytes: 0,
    excluded: 0,
    markers: 0,
    duplicates: 0,
    archived: 0,
    segments: [{ attempt: 'planner', from: 0, to: 1 }],
    since: null,
  };
  await output.put(planShardKey('planner', 0), encodePlanShard(entries));
  await output.put(PLAN_INDEX, JSON.stringify(index));
  const { maxBytes, maxPixels, timeoutMs: decodeTimeoutMs } = DEFAULT_IMAGE_LIMITS;
  const record: TagRecord = {
    kind: 'tag',
    version: 1,
    id: 'run',
    createdAt: '2000-01-01T00:00:00.000Z',
    spec: {
      ...oneSource(source.uri),
      include: [],
      exclude: [],
      since: null,
      retry: null,
      vocabularies: [soleVocabulary('v')],
      model: 'm',
      embedding: false,
      shardSize: 1000,
      maxBytes,
      maxPixels,
      decodeTimeoutMs,
    },
  };
  return {
    output,
    sources: [source],
    record,
    decoder,
    imageSide: SIDE,
    decide: (scores) => [{ label: 'brightness', score: scores[0]!, rawScore: null, vocabulary: null }],
    concurrency: 4,
    turn: new Turn(),
    embedding: false,
    metadata: { run: 'run', model: 'm', vocabulary: 'v', scores: 'raw' },
    fingerprint: { engine: 'test' },
    rowName: ({ key }) => ({ key, source: source.uri }),
    planShard: planReader(output),
  };
}

/** A model whose only score is `brightness` times the mean of an image's pixels. */
export function brightnessTagger(brightness = 1): SharedTagger {
  const imageBytes = SIDE * SIDE * 3;
  return {
    batchSize: 4,
    run: (pixels) =>
      Promise.resolve({
        scores: Float32Array.from({ length: pixels.length / imageBytes }, (_, i) => {
          const own = pixels.subarray(i * imageBytes, (i + 1) * imageBytes);
          return (brightness * own.reduce((sum, value) => sum + value, 0)) / imageBytes;
        }),
      }),
    release: () => Promise.resolve(),
  };
}

/** Options of an attempt at a shard that nothing stops. */
export const attemptOptions = (attempt: string, given: Partial<ShardOptions> = {}): ShardOptions => ({
  attempt,
  attemptNumber: 1,
  closed: [],
  tagger: brightnessTagger(),
  signal: new AbortController().signal,
  progress: () => undefined,
  ...given,
});

/** `store` with some of its methods replaced. */
export function wrapStore(store: ObjectStore, replaced: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(name in replaced ? replaced : target, name);
      const isOwn = typeof value === 'function' && !(name in replaced);
      return isOwn ? (value.bind(target) as unknown) : value;
    },
  });
}
