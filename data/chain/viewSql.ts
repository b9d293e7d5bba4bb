import { fileURLToPath } from 'node:url';
import type { ChainRun } from './chain.ts';
import { DELETIONS, PART_KINDS, type PartKind } from '../run/layout.ts';
import { sourcePrefix } from '../run/rowNames.ts';

/**
 * Columns of the view, which start it off without a row, so that it has them in this order whatever the runs have.
 * `code`, `message` and `attempts` are null where the image was tagged, `width`, `height` and `tags` where it was not.
 */
const COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['key', 'VARCHAR'],
  ['source', 'VARCHAR'],
  ['version_id', 'VARCHAR'],
  ['etag', 'VARCHAR'],
  ['size_bytes', 'BIGINT'],
  ['last_modified', 'TIMESTAMPTZ'],
  ['width', 'INTEGER'],
  ['height', 'INTEGER'],
  ['tags', 'STRUCT("label" VARCHAR, score FLOAT, raw_score FLOAT, vocabulary VARCHAR)[]'],
  ['code', 'VARCHAR'],
  ['message', 'VARCHAR'],
  ['attempts', 'INTEGER'],
  ['run', 'VARCHAR'],
];

/** A run as its rows take part in a view. */
export interface ViewRun {
  id: string;
  /** Of its folder. */
  uri: string;
  /** Each shard has a part of both kinds; a run without shards has none, and no file would match. */
  hasParts: boolean;
  hasDeletions: boolean;
  /** Whether its tags lie in folders that are columns too. */
  isPartitioned: boolean;
  /** URIs of its sources, by whose numbers what is gone is listed. */
  sources: readonly string[];
  /** Whether its parts may be of an earlier schema: tags have two fields, and rows of schema 1 do not name the only source. */
  isOfEarlierRelease: boolean;
}

export const viewRunOf = ({ output, record, index }: ChainRun): ViewRun => ({
  id: record.id,
  uri: output.uri,
  hasParts: index.shards > 0,
  isPartitioned: false,
  hasDeletions: (index.since?.deleted.shards ?? 0) > 0,
  sources: record.spec.sources.map(({ uri }) => uri),
  isOfEarlierRelease: record.ofEarlierRelease ?? false,
});

/** Where DuckDB finds the folder of a store: its own URI, or the path of a folder. */
export const duckDbPath = (uri: string): string => (uri.startsWith('file:') ? fileURLToPath(uri) : uri);

/**
 * The SELECT statement, in DuckDB's dialect, that gives what a chain of runs has come to: every image once, by source
 * and key, with the tags or the failure of the latest run that had it; what a later run found gone is left out.
 *
 * Older runs are read past the names of the later ones' images, which are what has to fit into memory: a chain starts
 * with a full run and goes on with small ones.
 *
 * @param runs oldest first.
 * @param pathOf where DuckDB finds the folder at a URI.
 */
export function viewSql(runs: readonly ViewRun[], pathOf = duckDbPath): string {
  const later: string[] = [];
  const selects = [`SELECT ${typedNulls(COLUMNS)} WHERE false`];
  for (const [at, run] of runs.entries()) {
    const newer = runs.slice(at + 1).flatMap((next) => namesOf(next, pathOf));
    if (newer.length > 0) later.push(`later_than_${at} AS (${newer.join(' UNION ALL ')})`);
    const past = newer.length > 0 ? ` ANTI JOIN later_than_${at} USING (source, key)` : '';
    for (const kind of run.hasParts ? PART_KINDS : [])
      selects.push(`SELECT *, ${quoted(run.id)} AS run FROM ${partsSql(run, kind, pathOf)} AS part${past}`);
  }
  const notes = runs.map(({ id, uri }) => `-- ${id}: ${uri}`.replaceAll(/[\r\n]/g, ' '));
  return [
    '-- The current view over these runs, oldest first:',
    ...notes,
    ...(later.length > 0 ? [`WITH\n  ${later.join(',\n  ')}`] : []),
    selects.join('\nUNION ALL BY NAME\n'),
  ].join('\n');
}

/** What a run's own rows of a kind are, as a table. */
export const rowsSql = (run: ViewRun, kind: PartKind, pathOf = duckDbPath): string =>
  run.hasParts
    ? `SELECT * FROM ${partsSql(run, kind, pathOf)}`
    : `SELECT ${typedNulls(COLUMNS.filter(([name]) => COLUMNS_OF[kind].includes(name)))} WHERE false`;

const COLUMNS_OF: Readonly<Record<PartKind, readonly string[]>> = {
  tags: ['key', 'source', 'version_id', 'etag', 'size_bytes', 'last_modified', 'width', 'height', 'tags'],
  failures: ['key', 'source', 'version_id', 'etag', 'code', 'message', 'attempts'],
};

const typedNulls = (columns: typeof COLUMNS): string =>
  columns.map(([name, type]) => `NULL::${type} AS ${name}`).join(', ');

/** The parts of a kind in a folder as a table. */
function partsSql(
  { uri, isPartitioned, isOfEarlierRelease, sources }: ViewRun,
  kind: PartKind,
  pathOf: (uri: string) => string,
): string {
  if (isPartitioned && kind === 'tags')
    return `read_parquet(${filesIn(pathOf(uri), 'tags/**/*.parquet')}, hive_partitioning = true)`;
  const files = filesIn(pathOf(uri), `${kind}/*.parquet`);
  if (!isOfEarlierRelease) return `read_parquet(${files})`;
  const known = typedNulls(COLUMNS.filter(([name]) => COLUMNS_OF[kind].includes(name)));
  return `(SELECT * REPLACE (coalesce(source, ${quoted(sources[0]!)}) AS source) FROM (SELECT ${known} WHERE false UNION ALL BY NAME SELECT * FROM read_parquet(${files}, union_by_name = true)))`;
}

export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Queries that together give the names of the images that a run planned or found gone. */
function namesOf(run: ViewRun, pathOf: (uri: string) => string): string[] {
  const { uri, hasParts, hasDeletions, sources } = run;
  const planned = hasParts
    ? PART_KINDS.map((kind) => `SELECT source, key FROM ${partsSql(run, kind, pathOf)} AS part`)
    : [];
  if (!hasDeletions) return planned;
  const lines = `read_json(${filesIn(pathOf(uri), `${DELETIONS}*.jsonl`)}, format = 'newline_delimited', columns = {key: 'VARCHAR', source: 'INTEGER'})`;
  const places = sources.map((source, i) => `(${i}, ${quoted(source)}, ${quoted(sourcePrefix(source))})`);
  return [
    ...planned,
    `SELECT place.uri AS source, place.prefix || gone.key AS key FROM ${lines} AS gone JOIN (VALUES ${places.join(', ')}) AS place(number, uri, prefix) ON coalesce(gone.source, 0) = place.number`,
  ];
}

/** A glob below a folder, in whose own name nothing is a wildcard. */
const filesIn = (path: string, glob: string): string =>
  quoted(`${path.replaceAll(/[[*?]/g, '[$&]')}/${glob}`);
