import type { FailureRow } from '../../data/parquet/tagRows.ts';
import type { PlanEntry } from '../../data/run/plan/plan.ts';
import { archivedFailure, imageFailure } from '../imageFailure.ts';
import { Batcher } from './batcher.ts';
import type { SharedTagger } from './dependencies.ts';
import type { PhaseClock } from './phaseClock.ts';
import type { RunContext } from './runContext.ts';
import type { Outcome } from './spool.ts';

export interface PipelineOptions {
  tagger: SharedTagger;
  /** How many attempts at the shard there were, for failure rows. */
  attempts: number;
  signal: AbortSignal;
  clock: PhaseClock;
}

/** An image of the shard: its position and its plan entry. */
export interface Planned {
  at: number;
  entry: PlanEntry;
}

/**
 * Fetches, decodes and scores images, overlapping all three, and reports each outcome exactly once, in any order.
 * `next` gives the image to start next, or undefined where there is none; it may wait.
 * Rejects, after everything in flight has ended, where the store, the device or the signal stops the work.
 */
export async function tagImages(
  next: () => Promise<Planned | undefined>,
  report: (at: number, outcome: Outcome) => void,
  run: RunContext,
  { tagger, attempts, signal, clock }: PipelineOptions,
): Promise<void> {
  const { sources, decoder } = run;
  const stop = new AbortController();
  const within = AbortSignal.any([signal, stop.signal]);
  interface Fetched extends Planned {
    etag: string;
    sizeBytes: number;
    lastModifiedMs: number;
    width: number;
    height: number;
    versionId: string | null;
  }
  const imageBytes = run.imageSide ** 2 * 3;
  const timed = clock.timed(tagger, imageBytes);
  const batcher = new Batcher<Fetched>(timed, imageBytes, (image, { scores, embedding }) => {
    const { entry, etag, sizeBytes, lastModifiedMs, width, height, versionId } = image;
    const tags = run.decide(scores);
    report(image.at, {
      tagged: {
        ...run.rowName(entry),
        ...{ versionId, etag, sizeBytes, lastModifiedMs, width, height, tags },
        ...(embedding && { embedding }),
      },
    });
  });

  const one = async (image: Planned): Promise<void> => {
    const { source = 0, key, etag, versionId, archived } = image.entry;
    try {
      if (archived) throw archivedFailure(sources[source]!.describeKey(key));
      const { body, info } = await clock.during('fetch', () =>
        sources[source]!.get(key, {
          ...(etag !== null && { ifMatch: etag }),
          ...(versionId !== undefined && { versionId }),
          maxBytes: run.record.spec.maxBytes,
          signal: within,
        }),
      );
      const { pixels, width, height } = await clock.during('decode', () =>
        decoder.decode(body, { signal: within }),
      );
      const { etag: current, sizeBytes, lastModifiedMs } = info;
      const known = {
        etag: current,
        sizeBytes,
        lastModifiedMs,
        versionId: info.versionId ?? versionId ?? null,
      };
      clock.enter('wait');
      await batcher.push({ ...image, ...known, width, height }, pixels);
    } catch (error) {
      report(image.at, { failed: { ...failureName(run, image.entry), ...imageFailure(error), attempts } });
    }
  };
  const lane = async (): Promise<void> => {
    try {
      for (let image; !within.aborted && (image = await next());) await one(image);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: run.concurrency }, lane));
  // What has been decoded is scored even where the work stops here: those images are then done.
  const flushed = await Promise.allSettled([batcher.flush()]);
  signal.throwIfAborted();
  const failed = [...lanes, ...flushed].find((result) => result.status === 'rejected');
  if (failed) throw stop.signal.reason ?? failed.reason;
}

/** What names a planned object in a failure row. */
export function failureName(
  run: Pick<RunContext, 'rowName'>,
  entry: PlanEntry,
): Pick<FailureRow, 'key' | 'source' | 'versionId' | 'etag'> {
  return { ...run.rowName(entry), versionId: entry.versionId ?? null, etag: entry.etag };
}
