/**
 * Where things lie in a run's folder (docs/run-folder.md). Pure functions: the same inputs name the same object on
 * every machine, which is what lets a run go on anywhere from its folder alone.
 */

export const RUN_RECORD = '_run.json';
/** What was changed of how the run is worked on, while it was. */
export const CONTROLS = '_controls.json';
export const CATEGORIES = '_inputs/categories.json';
export const GRAPH = '_inputs/graph.json';

/** Where a vocabulary's inputs lie: where it has a name, in a folder of their own. */
export function vocabularyInputs(name: string | null): {
  categories: string;
  graph: string;
  /** The run, in the folder of a tag run, that links the categories which the model's own graph lacks; and its graph. */
  linking: string;
  linkedGraph: string;
} {
  if (name === null)
    return { categories: CATEGORIES, graph: GRAPH, linking: '_graph', linkedGraph: '_graph/graph.json' };
  return {
    categories: `_inputs/${name}/categories.json`,
    graph: `_inputs/${name}/graph.json`,
    linking: `_graph/${name}`,
    linkedGraph: `_graph/${name}/graph.json`,
  };
}
export const PLAN_INDEX = '_plan/index.json';
export const RECEIPTS = '_receipts/';
export const SPOOL = '_spool/';
export const DELETIONS = '_deleted/';
export const MANIFEST = '_manifest.json';
export const SUCCESS = '_SUCCESS';

/** What a compacted data set was made of, in its folder: in the place of a run's record. */
export const COMPACT_RECORD = '_compact.json';

/** What a shard becomes: its images' tags, and its failures. Both are written for every shard, zero rows included. */
export const PART_KINDS = ['tags', 'failures'] as const;
export type PartKind = (typeof PART_KINDS)[number];

/** Shard numbers have six digits in names, so that names sort as numbers do up to a million shards. */
export const shardName = (shard: number): string => String(shard).padStart(6, '0');

/** A plan shard, in the folder of the planning attempt that wrote it. */
export const planShardKey = (attempt: string, shard: number): string =>
  `_plan/${attempt}/shard-${shardName(shard)}.jsonl`;

/** In an incremental run, a piece of the source's whole listing: what the next incremental run compares with. */
export const listingShardKey = (attempt: string, shard: number): string =>
  `_plan/${attempt}/listing-${shardName(shard)}.jsonl`;

/** A piece of the keys that an incremental run found gone, as the planning attempt wrote it, and in its place. */
export const plannedDeletionsKey = (attempt: string, shard: number): string =>
  `_plan/${attempt}/deleted-${shardName(shard)}.jsonl`;
export const deletionsKey = (shard: number): string => `${DELETIONS}part-${shardName(shard)}.jsonl`;

export const partKey = (kind: PartKind, shard: number): string => `${kind}/part-${shardName(shard)}.parquet`;

export const receiptKey = (shard: number): string => `${RECEIPTS}${shardName(shard)}.json`;

/** The number of the shard that a receipt's or part's key is of. */
export function shardOfKey(key: string): number | undefined {
  const digits = /(\d{6,})\.(?:json|parquet)$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export const spoolFolder = (shard: number, attempt?: string): string =>
  `${SPOOL}${shardName(shard)}/${attempt === undefined ? '' : `${attempt}/`}`;

/** The n-th piece of spooled rows of an attempt. */
export const spoolKey = (shard: number, attempt: string, piece: number): string =>
  `${spoolFolder(shard, attempt)}rows-${String(piece).padStart(6, '0')}.json`;

/** A part as an attempt wrote it, before its receipt is committed. */
export const spooledPartKey = (shard: number, attempt: string, kind: PartKind): string =>
  `${spoolFolder(shard, attempt)}${kind}.parquet`;

/** The artifacts of a run's vocabularies, in the order of the record, as one text: what workflows pass around. */
export const joinArtifacts = (artifacts: readonly string[]): string => artifacts.join(',');
export const splitArtifacts = (joined: string): string[] => joined.split(',');

/** Text features and category graph of a vocabulary, named by the hash of everything that determines them. */
export const vocabularyKeys = (hash: string): { json: string; text: string } => ({
  json: `_artifacts/vocabulary-${hash}.json`,
  text: `_artifacts/vocabulary-${hash}.safetensors`,
});
