import { SHARD_FAILURES, withFailure, type FailedImage } from '../../data/run/atWork/failureSample.ts';
import type { PhaseTimes } from '../../data/run/atWork/phases.ts';
import { readReceipt, type Receipt } from '../../data/run/receipt.ts';
import { commitShard, ensurePublished } from './commit.ts';
import { failureName, tagImages, type PipelineOptions, type Planned } from './pipeline.ts';
import type { SharedTagger } from './dependencies.ts';
import { PhaseClock } from './phaseClock.ts';
import type { RunContext } from './runContext.ts';
import { readSpool, SpoolWriter, type Outcome } from './spool.ts';
import { Window } from './window.ts';

/** Counts of a shard in work: heartbeat details. */
export interface ShardProgress {
  shard: number;
  images: number;
  tagged: number;
  failed: number;
  /** Attempts that ended in order while the store could not be told: the next attempt must not take them for lost. */
  closed: readonly string[];
  /** Where the attempt's time has gone. */
  phasesMs: PhaseTimes;
  /** The latest failures that this attempt has met. */
  failures: readonly FailedImage[];
}

export interface ShardOptions {
  /** Unique to this attempt. */
  attempt: string;
  /** 1 for the first attempt. */
  attemptNumber: number;
  /** {@link ShardProgress.closed} of the attempt before. */
  closed: readonly string[];
  tagger: SharedTagger;
  signal: AbortSignal;
  /** Told often; cheap. */
  progress(progress: ShardProgress): void;
}

/**
 * Tags one shard, going on from what earlier attempts have spooled, and commits it. Returns the receipt that counts.
 *
 * Any number of attempts may run at once (a lost one may not know that it is lost): they write to folders of their
 * own, and the receipt decides. An orderly stop (the signal, a store that is down) spools what is done and rejects.
 */
export async function tagShard(run: RunContext, shard: number, options: ShardOptions): Promise<Receipt> {
  const { output } = run;
  const committed = await readReceipt(output, shard);
  if (committed) {
    await ensurePublished(output, committed);
    return committed;
  }

  const entries = await run.planShard(shard);
  const names = entries.map(run.rowName);
  const { outcomes, suspects, crashers } = await readSpool(output, shard, options.closed);
  const spool = new SpoolWriter(output, shard, options.attempt);
  const record = (at: number, outcome: Outcome): void => {
    outcomes.set(at, outcome);
    spool.add(at, outcome);
  };
  const clock = new PhaseClock();
  const progress: ShardProgress = {
    ...{ shard, images: entries.length, tagged: 0, failed: 0, closed: options.closed },
    ...{ phasesMs: clock.times, failures: [] },
  };
  for (const outcome of outcomes.values()) count(progress, outcome);
  const report = (at: number, outcome: Outcome): void => {
    record(at, outcome);
    count(progress, outcome);
    if ('failed' in outcome)
      progress.failures = withFailure(progress.failures, outcome.failed, SHARD_FAILURES);
    options.progress(progress);
  };
  options.progress(progress);
  for (const at of crashers)
    report(at, {
      failed: { ...failureName(run, entries[at]!), ...CRASHED, attempts: options.attemptNumber },
    });

  const pipeline: PipelineOptions = {
    tagger: options.tagger,
    attempts: options.attemptNumber,
    signal: options.signal,
    clock,
  };
  const planned = (at: number): Planned => ({ at, entry: entries[at]! });
  try {
    const pending = entries.flatMap((_, at) => (outcomes.has(at) || suspects.has(at) ? [] : [at]));
    const endTurn = await run.turn.take(options.signal);
    try {
      const window = new Window(pending, (limit) => clock.during('write', () => spool.write(limit)));
      await tagImages(
        async () => {
          const at = await window.take();
          if (at !== undefined) return planned(at);
          endTurn();
          return undefined;
        },
        report,
        run,
        pipeline,
      );
    } finally {
      endTurn();
    }
    for (const at of [...suspects].filter((position) => !outcomes.has(position)).sort((a, b) => a - b)) {
      await spool.write(0, at);
      await tagImages(once(planned(at)), report, run, pipeline);
    }
  } catch (error) {
    // What is done is kept where the store still takes it; the reason to stop is the one to report either way.
    try {
      await spool.close();
    } catch {
      options.progress({ ...progress, closed: [...options.closed, options.attempt] });
    }
    throw error;
  }
  const { attempt } = options;
  const { embedding, metadata, fingerprint } = run;
  return clock.during('write', () =>
    commitShard({ output, shard, attempt, outcomes, names, embedding, metadata, fingerprint }),
  );
}

function count(progress: ShardProgress, outcome: Outcome): void {
  if ('tagged' in outcome) progress.tagged++;
  else progress.failed++;
}

function once(image: Planned): () => Promise<Planned | undefined> {
  let given = false;
  return () => {
    const next = given ? undefined : image;
    given = true;
    return Promise.resolve(next);
  };
}

const CRASHED = {
  code: 'Image.Crashed',
  message: 'The worker was lost every time it worked on this image, the last time on nothing else.',
};
