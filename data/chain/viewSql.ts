import { fileURLToPath } from 'node:url';
import type { ChainRun } from './chain.ts';
import { DELETIONS, PART_KINDS, type PartKind } from '../run/layout.ts';
import { rowPrefix } from '../run/rowKeys.ts';

/**
 * Columns of the view, which start it off without a row, so that it has them in this order whatever the runs have.
 * `code`, `message` and `attempts` are null where the image was tagged, `width`, `height` and `tags` where it was not.
 */
const COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['key', 'VARCHAR'],
  ['etag', 'VARCHAR'],
  ['size_bytes', 'BIGINT'],
  ['last_modified', 'TIMESTAMPTZ'],
  ['width', 'INTEGER'],
  ['height', 'INTEGER'],
  ['tags', 'STRUCT("label" VARCHAR, score FLOAT)[]'],
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
  /** What rows' keys have before the key below the source, by which what is gone is listed. */
  keyPrefix: string;
}

export const viewRunOf = ({ output, record, index }: ChainRun): ViewRun => ({
  id: record.id,
  uri: output.uri,
  hasParts: index.shards > 0,
  isPartitioned: false,
  hasDeletions: (index.since?.deleted.shards ?? 0) > 0,
  keyPrefix: rowPrefix(record.spec.source),
});

/** Where DuckDB finds the folder of a store: its own URI, or the path of a folder. */
export const duckDbPath = (uri: string): string => (uri.startsWith('file:') ? fileURLToPath(uri) : uri);

/**
 * The SELECT statement, in DuckDB's dialect, that gives what a chain of runs has come to: every key once, with the tags
 * or the failure of the latest run that had it; keys that a later run found gone are left out.
 *
 * Older runs are read past the keys of the later ones, which are the ones that have to fit into memory: a chain starts
 * with a full run and goes on with small ones.
 *
 * @param runs oldest first.
 * @param pathOf where DuckDB finds the folder at a URI.
 */
export function viewSql(runs: readonly ViewRun[], pathOf = duckDbPath): string {
  const later: string[] = [];
  const selects = [`SELECT ${typedNulls(COLUMNS)} WHERE false`];
  for (const [at, run] of runs.entries()) {
    const newer = runs.slice(at + 1).flatMap((next) => keysOf(next, pathOf));
    if (newer.length > 0) later.push(`later_than_${at} AS (${newer.join(' UNION ALL ')})`);
    const past = newer.length > 0 ? ` ANTI JOIN later_than_${at} USING (key)` : '';
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
  tags: ['key', 'etag', 'size_bytes', 'last_modified', 'width', 'height', 'tags'],
  failures: ['key', 'etag', 'code', 'message', 'attempts'],
};

const typedNulls = (columns: typeof COLUMNS): string =>
  columns.map(([name, type]) => `NULL::${type} AS ${name}`).join(', ');

/** The parts of a kind in a folder as a table function. */
const partsSql = (
  { uri, isPartitioned }: ViewRun,
  kind: PartKind,
  pathOf: (uri: string) => string,
): string =>
  isPartitioned && kind === 'tags'
    ? `read_parquet(${filesIn(pathOf(uri), 'tags/**/*.parquet')}, hive_partitioning = true)`
    : `read_parquet(${filesIn(pathOf(uri), `${kind}/*.parquet`)})`;

export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Queries that together give the row keys that a run planned or found gone. */
function keysOf(run: ViewRun, pathOf: (uri: string) => string): string[] {
  const { uri, hasParts, hasDeletions, keyPrefix } = run;
  const planned = hasParts ? PART_KINDS.map((kind) => `SELECT key FROM ${partsSql(run, kind, pathOf)}`) : [];
  if (!hasDeletions) return planned;
  const lines = `read_json(${filesIn(pathOf(uri), `${DELETIONS}*.jsonl`)}, format = 'newline_delimited', columns = {key: 'VARCHAR'})`;
  return [...planned, `SELECT ${quoted(keyPrefix)} || key AS key FROM ${lines}`];
}

/** A glob below a folder, in whose own name nothing is a wildcard. */
const filesIn = (path: string, glob: string): string =>
  quoted(`${path.replaceAll(/[[*?]/g, '[$&]')}/${glob}`);
