/** Tag runs in this process, with real stores and everything of a run but Temporal, sharp and the model. */
import { createHash } from 'node:crypto';
import { finishRun } from '../../../activities/finish.ts';
import { retryChanges } from '../../../activities/plan/retryChanges.ts';
import { earlierListing } from '../../../activities/plan/earlierListing.ts';
import { runListing } from '../../../activities/plan/listing.ts';
import { writePlan } from '../../../activities/plan/writePlan.ts';
import { planReader, type RunContext } from '../../../activities/tag/runContext.ts';
import { tagShard } from '../../../activities/tag/tagShard.ts';
import { Turn } from '../../../activities/tag/turn.ts';
import { Failure } from '../../../data/failure.ts';
import { readChain } from '../../../data/chain/chain.ts';
import { vocabularyKeys } from '../../../data/run/layout.ts';
import { claimRunFolder, runIdOf, type TagRecord, type TagSpec } from '../../../data/run/record.ts';
import { rowNames } from '../../../data/run/rowNames.ts';
import { soleVocabulary } from '../../../data/run/vocabularies.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { compareUtf8 } from '../../../data/utf8Order.ts';
import { attemptOptions } from './shardBench.ts';

const SIDE = 8;
const LABELS = ['dog', 'cat', 'tree', 'beach'];

/** Bodies that start so are no images. */
export const BAD = 'bad';

/** Every other body is an image whose content has tags of its own. */
const decoder: RunContext['decoder'] = {
  decode(body) {
    if (Buffer.from(body).toString().startsWith(BAD))
      return Promise.reject(new Failure('Image.Corrupt', 'Its data is damaged.'));
    const pixels = new Uint8Array(SIDE * SIDE * 3);
    createHash('sha256').update(body).digest().copy(pixels);
    return Promise.resolve({ pixels, width: body.length, height: SIDE });
  },
};

export interface ChainRunOptions {
  openStore(uri: string): ObjectStore;
  spec?: Partial<TagSpec>;
  /** Happens when the plan is there and no image has been fetched. */
  planned?: () => Promise<void>;
}

/** Runs a tag run over one or several sources into `output` to its end; as its command, workflow and workers would. */
export async function runInProcess(
  from: ObjectStore | readonly ObjectStore[],
  output: ObjectStore,
  { openStore, spec: given = {}, planned }: ChainRunOptions,
): Promise<void> {
  const sources = [from].flat().sort((a, b) => compareUtf8(a.uri, b.uri));
  const openSource = (uri: string): ObjectStore => sources.find((source) => source.uri === uri)!;
  const record: TagRecord = {
    kind: 'tag',
    version: 1,
    id: runIdOf('tag', output.uri),
    createdAt: new Date().toISOString(),
    spec: {
      sources: sources.map(({ uri }) => ({ uri, inventory: null })),
      keys: [],
      unsigned: false,
      requesterPays: false,
      include: [],
      exclude: [],
      since: null,
      retry: null,
      vocabularies: [soleVocabulary('v')],
      model: 'm',
      embedding: false,
      shardSize: 3,
      maxBytes: 1000,
      maxPixels: 1000,
      decodeTimeoutMs: 1000,
      ...given,
    },
  };
  await claimRunFolder(output, record);
  const { spec } = record;
  const { since, retry, include, exclude, shardSize } = spec;
  const chain = retry && (await readChain(openStore(retry.parent), openStore));
  const index = await writePlan(runListing(spec, { openStore, openSource, output }), output, {
    include,
    exclude,
    shardSize,
    since: since === null ? undefined : earlierListing(openStore(since), spec.sources),
    retry: chain ? (after) => retryChanges(sources, chain, { codes: retry.codes, after }) : undefined,
    report: () => undefined,
  });
  await planned?.();
  const context: RunContext = {
    output,
    sources,
    record,
    decoder,
    imageSide: SIDE,
    decide: (scores) =>
      [...scores]
        .map((score, i) => ({ label: LABELS[i]!, score, rawScore: null, vocabulary: null }))
        .filter(({ score }) => score >= 0.5)
        .sort((a, b) => b.score - a.score),
    concurrency: 4,
    turn: new Turn(),
    embedding: spec.embedding,
    metadata: { run: record.id, model: 'm', vocabulary: 'v', scores: 'raw' },
    fingerprint: { engine: 'test' },
    rowName: rowNames(spec.sources),
    planShard: planReader(output),
  };
  const tagger = contentTagger(spec.embedding);
  for (let shard = 0; shard < index.shards; shard++)
    await tagShard(context, shard, attemptOptions(`attempt-${shard}`, { tagger }));
  await output.put(vocabularyKeys('none').json, JSON.stringify({ model: 'm', calibrated: false }));
  await finishRun(output, record, 'none', () => undefined);
}

/** Scores of an image are its first bytes: as many as there are labels. */
function contentTagger(embedding: boolean): ReturnType<typeof attemptOptions>['tagger'] {
  const imageBytes = SIDE * SIDE * 3;
  return {
    batchSize: 4,
    run(pixels) {
      const images = Array.from({ length: pixels.length / imageBytes }, (_, i) =>
        pixels.slice(i * imageBytes, (i + 1) * imageBytes),
      );
      const firstOf = (count: number): Float32Array =>
        Float32Array.from(images.flatMap((image) => [...image.subarray(0, count)].map((byte) => byte / 255)));
      return Promise.resolve({
        scores: firstOf(LABELS.length),
        ...(embedding && { embeddings: firstOf(8) }),
      });
    },
    release: () => Promise.resolve(),
  };
}
