/**
 * The spool of a shard: rows that its attempts have finished, so that a new attempt goes on where a lost one stopped.
 *
 * Every piece also says how far into the shard the attempt may now work (`limit`). An attempt never starts an image
 * at or past the limit of the last piece it wrote, so of a lost attempt one knows which images it may have been
 * working on: those below its limit that it did not finish. An image that two lost attempts were working on is
 * suspected of having killed them and is tried alone, announced as such; if that attempt is lost too, it is the image.
 */
import type { FailureRow, TagRow } from '../../data/parquet/tagRows.ts';
import { spoolFolder, spoolKey } from '../../data/run/layout.ts';
import { readJson } from '../../data/store/json.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** The outcome for one image of a shard. */
export type Outcome = { tagged: TagRow } | { failed: FailureRow };

/** Outcomes by the image's position in the shard. */
export type Outcomes = Map<number, Outcome>;

interface Piece {
  rows: (SpooledRow & { at: number })[];
  /** Positions below this may be worked on after this piece. */
  limit: number;
  /** The one position that is worked on after this piece. */
  alone?: number;
  /** Set in the last piece of an attempt that ended in order: it was not lost. */
  closed?: true;
}

type SpooledRow = { tagged: Omit<TagRow, 'embedding'> & { embedding?: string } } | { failed: FailureRow };

/** What earlier attempts left. */
export interface SpoolState {
  outcomes: Outcomes;
  /** Positions that two or more lost attempts were working on. */
  suspects: Set<number>;
  /** Positions that a lost attempt was working on alone. */
  crashers: Set<number>;
}

/**
 * Reads what earlier attempts at a shard left in the spool. `closed` are attempts that ended in order but could not
 * write so.
 */
export async function readSpool(
  output: ObjectStore,
  shard: number,
  closed: readonly string[] = [],
): Promise<SpoolState> {
  const attempts = new Map<string, string[]>();
  for await (const { key } of output.list({ prefix: spoolFolder(shard) })) {
    const [, , attempt, name] = key.split('/');
    if (attempt !== undefined && name?.startsWith('rows-'))
      attempts.set(attempt, [...(attempts.get(attempt) ?? []), key]);
  }
  const read = await Promise.all(
    [...attempts].map(async ([name, keys]) => ({
      pieces: await Promise.all(keys.map((key) => readJson(output, key) as Promise<Piece>)),
      inOrder: closed.includes(name),
    })),
  );
  const outcomes: Outcomes = new Map();
  for (const { at, ...row } of read.flatMap(({ pieces }) => pieces).flatMap(({ rows }) => rows))
    if (isWhole(row)) outcomes.set(at, fromSpool(row));

  const timesInFlight = new Map<number, number>();
  const crashers = new Set<number>();
  for (const { pieces, inOrder } of read) {
    const last = pieces.at(-1);
    if (!last || last.closed || inOrder) continue;
    const finished = new Set(pieces.flatMap(({ rows }) => rows.map(({ at }) => at)));
    const inFlight =
      last.alone === undefined ? range(last.limit).filter((at) => !finished.has(at)) : [last.alone];
    for (const at of inFlight) timesInFlight.set(at, (timesInFlight.get(at) ?? 0) + 1);
    if (last.alone !== undefined) crashers.add(last.alone);
  }
  const suspects = new Set([...timesInFlight].filter(([, times]) => times >= 2).map(([at]) => at));
  for (const at of outcomes.keys()) for (const set of [suspects, crashers]) set.delete(at);
  return { outcomes, suspects, crashers };
}

/** Writes the pieces of one attempt. */
export class SpoolWriter {
  private readonly output: ObjectStore;
  private readonly shard: number;
  private readonly attempt: string;
  private pieces = 0;
  private unwritten: Piece['rows'] = [];

  constructor(output: ObjectStore, shard: number, attempt: string) {
    this.output = output;
    this.shard = shard;
    this.attempt = attempt;
  }

  add(at: number, outcome: Outcome): void {
    this.unwritten.push({ at, ...toSpool(outcome) });
  }

  /** Writes what was added since the last piece. After it the attempt may work below `limit`, or on `alone` only. */
  async write(limit: number, alone?: number): Promise<void> {
    await this.put({ rows: this.take(), limit, ...(alone !== undefined && { alone }) });
  }

  /** The last piece of an attempt that ends in order without finishing the shard. */
  async close(): Promise<void> {
    await this.put({ rows: this.take(), limit: 0, closed: true });
  }

  private take(): Piece['rows'] {
    const rows = this.unwritten;
    this.unwritten = [];
    return rows;
  }

  private async put(piece: Piece): Promise<void> {
    await this.output.put(spoolKey(this.shard, this.attempt, this.pieces++), JSON.stringify(piece));
  }
}

function toSpool(outcome: Outcome): SpooledRow {
  if ('failed' in outcome) return outcome;
  const { embedding, ...row } = outcome.tagged;
  if (!embedding) return { tagged: row };
  const bytes = Buffer.from(embedding.buffer, embedding.byteOffset, embedding.byteLength);
  return { tagged: { ...row, embedding: bytes.toString('base64') } };
}

/** An attempt of an earlier release spooled tags without their raw scores: its images are tagged again. */
const isWhole = (row: SpooledRow): boolean =>
  'failed' in row || row.tagged.tags.every((tag) => 'rawScore' in tag);

function fromSpool(row: SpooledRow): Outcome {
  if ('failed' in row) return row;
  const { embedding, ...tagged } = row.tagged;
  if (embedding === undefined) return { tagged };
  return {
    tagged: {
      ...tagged,
      embedding: new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer),
    },
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
