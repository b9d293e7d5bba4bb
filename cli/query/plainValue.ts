import type * as DuckDb from '@duckdb/node-api';

/** A value as JSON has it. */
export type PlainValue = null | boolean | number | string | PlainValue[] | { [name: string]: PlainValue };

/**
 * Makes JSON's values of DuckDB's: integers that a number cannot hold, decimals and dates as text, timestamps as ISO
 * 8601 in UTC, lists as arrays, structs as objects; numbers that are not finite are null.
 */
export function plainValues(duckDb: typeof DuckDb): (value: DuckDb.DuckDBValue) => PlainValue {
  const plain = (value: DuckDb.DuckDBValue): PlainValue => {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    if (typeof value === 'number') return Number.isFinite(value) ? value : null;
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    if (value instanceof duckDb.DuckDBListValue || value instanceof duckDb.DuckDBArrayValue)
      return value.items.map(plain);
    if (value instanceof duckDb.DuckDBStructValue)
      return Object.fromEntries(Object.entries(value.entries).map(([name, field]) => [name, plain(field)]));
    if (value instanceof duckDb.DuckDBMapValue)
      return value.entries.map(({ key, value: of }) => ({ key: plain(key), value: plain(of) }));
    if (value instanceof duckDb.DuckDBTimestampTZValue || value instanceof duckDb.DuckDBTimestampValue)
      return new Date(Number(value.micros / 1000n)).toISOString();
    return String(value);
  };
  return plain;
}
