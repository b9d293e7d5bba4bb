import { Failure, messageOf } from '../failure.ts';

/** How keys are told apart into folders of a data set, as Hive's convention has it: `column=value/column=value/`. */
export interface Partitioning {
  columns: readonly string[];
  /** The folder of a key, empty or with a slash at its end. */
  folderOf(key: string): string;
}

/** No partitions: everything in one folder. */
export const UNPARTITIONED: Partitioning = { columns: [], folderOf: () => '' };

/** What stands for a value that a key has not. */
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__';

/** Columns of the rows, which a partition's would hide. */
const TAKEN = [
  'key',
  'source',
  'version_id',
  'etag',
  'size_bytes',
  'last_modified',
  'width',
  'height',
  'tags',
  'embedding',
  'label',
  'score',
  'raw_score',
  'vocabulary',
  'rank',
  'code',
  'message',
  'attempts',
  'run',
];

/**
 * Partitions by the key of a row: `prefix:N` by its first N folders, as `prefix`; anything else is a regular expression
 * whose named groups are the columns, or whose first group (the whole match, where it has none) is `partition`.
 *
 * @throws Failure `Usage.Partition`
 */
export function partitioning(text: string): Partitioning {
  const depth = /^prefix:(\d+)$/.exec(text)?.[1];
  if (depth !== undefined) {
    if (Number(depth) === 0) throw refused(text, 'names no folder');
    return by(['prefix'], (key) => [key.split('/').slice(0, -1).slice(0, Number(depth)).join('/')]);
  }
  let pattern: RegExp;
  try {
    pattern = new RegExp(text, 'u');
  } catch (error) {
    throw refused(text, `is no regular expression: ${messageOf(error)}`);
  }
  const columns = [...text.matchAll(/\(\?<(\w+)>/g)].map(([, name]) => name!);
  const taken = columns.find((name) => TAKEN.includes(name));
  if (taken !== undefined) throw refused(text, `has a group ${taken}, which is a column of the rows`);
  if (columns.length === 0)
    return by(['partition'], (key) => {
      const match = pattern.exec(key);
      return [match?.[1] ?? match?.[0]];
    });
  return by(columns, (key) => {
    const groups = pattern.exec(key)?.groups ?? {};
    return columns.map((name) => groups[name]);
  });
}

function by(columns: readonly string[], valuesOf: (key: string) => (string | undefined)[]): Partitioning {
  return {
    columns,
    folderOf: (key) =>
      valuesOf(key)
        .map(
          (value, i) => `${columns[i]!}=${value === undefined || value === '' ? NO_VALUE : escaped(value)}/`,
        )
        .join(''),
  };
}

/** As in a URL, and nothing that a glob or a file system takes for something else. */
const escaped = (value: string): string =>
  encodeURIComponent(value).replaceAll(/[!'()*~.]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const refused = (text: string, why: string): Failure =>
  new Failure('Usage.Partition', `--partition-by ${JSON.stringify(text)} ${why}.`, {
    hint: 'Use prefix:N, or a regular expression over the key, as `^(?<year>\\d{4})/`.',
  });
