import { fileURLToPath } from 'node:url';
import type { ChainRun } from './chain.ts';
import { DELETIONS, type PartKind } from './layout.ts';
import { rowPrefix } from './rowKeys.ts';

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

/** Where DuckDB finds the folder of a store: its own URI, or the path of a folder. */
export const duckDbPath = (uri: string): string => (uri.startsWith('file:') ? fileURLToPath(uri) : uri);

/**
 * The SELECT statement, in DuckDB's dialect, that gives what a chain of runs has come to: every key once, with the tags
 * or the failure of the latest run that had it; keys that a later run found gone are left out.
 *
 * Older runs are read past the keys of the later ones, which are the ones that have to fit into memory: a chain starts
 * with a full run and goes on with small ones.
 *
 * @param chain oldest first.
 * @param pathOf where DuckDB finds the folder of a run.
 */
export function viewSql(chain: readonly ChainRun[], pathOf = duckDbPath): string {
  const runs = chain.map((run) => ({ run, path: pathOf(run.output.uri) }));
  const later: string[] = [];
  const selects = [
    `SELECT ${COLUMNS.map(([name, type]) => `NULL::${type} AS ${name}`).join(', ')} WHERE false`,
  ];
  for (const [at, { run, path }] of runs.entries()) {
    const newer = runs.slice(at + 1).flatMap((next) => keysOf(next.run, next.path));
    if (newer.length > 0) later.push(`later_than_${at} AS (${newer.join(' UNION ALL ')})`);
    const past = newer.length > 0 ? ` ANTI JOIN later_than_${at} USING (key)` : '';
    const id = quoted(run.record.id);
    for (const kind of partsOf(run))
      selects.push(`SELECT *, ${id} AS run FROM ${partsSql(path, kind)} AS part${past}`);
  }
  const notes = chain.map(({ record, output }) =>
    `-- ${record.id}: ${output.uri}`.replaceAll(/[\r\n]/g, ' '),
  );
  return [
    '-- The current view over these runs, oldest first:',
    ...notes,
    ...(later.length > 0 ? [`WITH\n  ${later.join(',\n  ')}`] : []),
    selects.join('\nUNION ALL BY NAME\n'),
  ].join('\n');
}

/** The parts of a kind in a folder as a table function. */
export const partsSql = (path: string, kind: PartKind): string =>
  `read_parquet(${filesIn(path, `${kind}/*.parquet`)})`;

/** A view's columns, with no rows: what the parts of a folder without parts are. */
export function emptyPartsSql(kind: PartKind): string {
  const absent =
    kind === 'tags'
      ? ['code', 'message', 'attempts', 'run']
      : ['size_bytes', 'last_modified', 'width', 'height', 'tags', 'run'];
  const columns = COLUMNS.filter(([name]) => !absent.includes(name));
  return `(SELECT ${columns.map(([name, type]) => `NULL::${type} AS ${name}`).join(', ')} WHERE false)`;
}

export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Each shard has a part of both kinds, so a run without shards has none, and no file would match. */
const partsOf = ({ index }: ChainRun): PartKind[] => (index.shards > 0 ? ['tags', 'failures'] : []);

/** Queries that together give the row keys that a run planned or found gone. */
function keysOf(run: ChainRun, path: string): string[] {
  const planned = partsOf(run).map((kind) => `SELECT key FROM ${partsSql(path, kind)}`);
  if ((run.index.since?.deleted.shards ?? 0) === 0) return planned;
  const prefix = rowPrefix(run.record.spec.source);
  // What is gone is listed by the key below the source.
  const key = prefix === '' ? 'key' : `${quoted(prefix)} || key`;
  const lines = `read_json(${filesIn(path, `${DELETIONS}*.jsonl`)}, format = 'newline_delimited', columns = {key: 'VARCHAR'})`;
  return [...planned, `SELECT ${key} AS key FROM ${lines}`];
}

/** A glob below a folder, in whose own name nothing is a wildcard. */
const filesIn = (path: string, glob: string): string =>
  quoted(`${path.replaceAll(/[[*?]/g, '[$&]')}/${glob}`);
