/** What a report says of a finished tag run, besides its images. */
import { createHash } from 'node:crypto';
import { readFailureRows, readTagRows } from '../../../data/parquet/read.ts';
import type { FailureRow, TagRow } from '../../../data/parquet/tagRows.ts';
import { RECEIPTS, shardOfKey } from '../../../data/run/layout.ts';
import type { TagRecord } from '../../../data/run/record.ts';
import type { RunManifest } from '../../../data/run/runManifest.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { Label } from '../labels.ts';

/** Failed images that are listed for each code. */
const LISTED_FAILURES = 50;
const RATE_BINS = 60;

/** Images finished in a span of time. */
export interface RateBin {
  /** Milliseconds since 1970 UTC. */
  fromMs: number;
  toMs: number;
  images: number;
}

/** Failed images of one code. */
export interface FailuresOfCode {
  code: string;
  count: number;
  listed: Pick<FailureRow, 'key' | 'source' | 'message'>[];
}

/** How scores of a label's tags are spread. */
export interface LabelFigures extends Label {
  tags: number;
  /** Written scores. */
  lowest: number;
  highest: number;
  /** Tags by score, in equal bins between the run's lowest and highest score. */
  bins: number[];
}

export const SCORE_BINS = 20;

/** The shards whose rows are read: all, or so many that they hold about `maxRows`, the same ones every time. */
export function chooseShards(
  { parts }: RunManifest,
  maxRows: number,
): { shards: number[]; rows: number; tagged: number } {
  const tagParts = parts.filter(({ key }) => key.startsWith('tags/'));
  const tagged = tagParts.reduce((sum, part) => sum + part.rows, 0);
  const inDrawOrder = tagParts
    .map((part) => ({ ...part, shard: shardOfKey(part.key)! }))
    .sort((a, b) => orderOf(a.key).localeCompare(orderOf(b.key)));
  const shards: number[] = [];
  let rows = 0;
  for (const part of inDrawOrder) {
    if (shards.length > 0 && rows + part.rows > maxRows) continue;
    shards.push(part.shard);
    rows += part.rows;
  }
  return { shards: shards.sort((a, b) => a - b), rows, tagged };
}

/** An order that looks random and is the same everywhere. */
export const orderOf = (name: string): string => createHash('sha256').update(name).digest('hex');

/** Rows of the chosen shards, or of all, a part at a time. */
export async function* tagRowsOf(
  output: ObjectStore,
  { parts }: RunManifest,
  shards: readonly number[] | undefined,
  source: string,
): AsyncGenerator<TagRow[], void, undefined> {
  const chosen = shards && new Set(shards);
  for (const { key, rows } of parts) {
    if (!key.startsWith('tags/') || rows === 0 || chosen?.has(shardOfKey(key)!) === false) continue;
    yield await readTagRows((await output.get(key)).body, output.describeKey(key), source);
  }
}

/** When images were finished, by the times that the store has of their shards' receipts. */
export async function readRate(
  output: ObjectStore,
  { createdAt }: TagRecord,
  { parts }: RunManifest,
): Promise<{ startMs: number; endMs: number; bins: RateBin[] }> {
  const images = new Map<number, number>();
  for (const { key, rows } of parts) {
    const shard = shardOfKey(key)!;
    images.set(shard, (images.get(shard) ?? 0) + rows);
  }
  const finished: { atMs: number; images: number }[] = [];
  for await (const { key, lastModifiedMs } of output.list({ prefix: RECEIPTS })) {
    const shard = shardOfKey(key);
    if (shard !== undefined) finished.push({ atMs: lastModifiedMs, images: images.get(shard) ?? 0 });
  }
  const times = finished.map(({ atMs }) => atMs);
  const endMs = times.reduce((a, b) => Math.max(a, b), 0);
  // A folder that was copied has other times: its receipts may all be of one moment.
  const startMs = Math.min(Date.parse(createdAt), endMs);
  const count = Math.max(1, Math.min(RATE_BINS, finished.length));
  const widthMs = Math.max(1, (endMs - startMs) / count);
  const bins = Array.from({ length: count }, (_, i) => ({
    fromMs: startMs + i * widthMs,
    toMs: startMs + (i + 1) * widthMs,
    images: 0,
  }));
  for (const { atMs, images: own } of finished) {
    const bin = Math.floor((atMs - startMs) / widthMs);
    bins[Math.max(0, Math.min(count - 1, bin))]!.images += own;
  }
  return { startMs, endMs, bins };
}

/** The failures of the run by code, the most frequent first, each with the first images. */
export async function readFailures(
  output: ObjectStore,
  { counts, parts }: RunManifest,
  source: string,
): Promise<FailuresOfCode[]> {
  const codes = new Map(
    Object.entries(counts.failuresByCode).map(([code, count]) => [
      code,
      { code, count, listed: [] as FailuresOfCode['listed'] },
    ]),
  );
  const isListed = ({ count, listed }: FailuresOfCode): boolean =>
    listed.length >= Math.min(count, LISTED_FAILURES);
  for (const { key, rows } of parts) {
    if (!key.startsWith('failures/') || rows === 0) continue;
    if ([...codes.values()].every(isListed)) break;
    const found = await readFailureRows((await output.get(key)).body, output.describeKey(key), source);
    for (const { code, key: image, source: from, message } of found) {
      const listed = codes.get(code)?.listed;
      if (listed && listed.length < LISTED_FAILURES) listed.push({ key: image, source: from, message });
    }
  }
  return [...codes.values()].sort((a, b) => b.count - a.count || a.code.localeCompare(b.code));
}
