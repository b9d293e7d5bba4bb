/** Time limits and retries of activities, one profile per kind of work, the reason for each beside it. */
import type { ActivityOptions } from '@temporalio/workflow';
import { QUEUES } from './queues.ts';

/*
 * No profile has a schedule-to-start timeout: it is never retried, and would fail shards that merely queue because
 * no worker is up yet.
 */

/** Waits that double from a second to a minute: a store or a device that is down is waited for, however long. */
const untilItWorks = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
} as const;

/** Listing a billion keys takes hours; the heartbeat carries the cursor, so a lost attempt costs little. */
export const listing = (heartbeatTimeoutS: number): ActivityOptions => ({
  taskQueue: QUEUES.orchestrate,
  startToCloseTimeout: '7 days',
  heartbeatTimeout: `${heartbeatTimeoutS} seconds`,
  retry: untilItWorks,
});

/** Reading receipts and checking parts: safe to repeat, bounded by the shards of one range. */
export const accounting = (heartbeatTimeoutS: number): ActivityOptions => ({
  taskQueue: QUEUES.orchestrate,
  startToCloseTimeout: '1 day',
  heartbeatTimeout: `${heartbeatTimeoutS} seconds`,
  retry: untilItWorks,
});

/**
 * Questions to a language model: a batch of them within their rate limits may take hours. Each answer is kept as it
 * comes, so an attempt that fails costs the question in hand.
 */
export const asking = (heartbeatTimeoutS: number): ActivityOptions => ({
  taskQueue: QUEUES.llm,
  startToCloseTimeout: '1 day',
  heartbeatTimeout: `${heartbeatTimeoutS} seconds`,
  retry: untilItWorks,
  // On cancellation the question in hand, which costs money, is answered first.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** Work on the device. A lost attempt is noticed by its silence; what it spooled is not done again. */
export const inference = (heartbeatTimeoutS: number): ActivityOptions => ({
  taskQueue: QUEUES.gpu,
  startToCloseTimeout: '1 day',
  heartbeatTimeout: `${heartbeatTimeoutS} seconds`,
  retry: untilItWorks,
  // On cancellation the attempt spools what it has before the run is called cancelled.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
