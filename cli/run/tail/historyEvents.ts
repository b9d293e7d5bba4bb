import { defaultFailureConverter, defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { failedOf } from '../../../data/run/counts.ts';
import { rootFailure } from '../follow.ts';
import {
  cancelUpdate,
  pauseUpdate,
  resumeUpdate,
  setUpdate,
  type Asked,
} from '../../../workflows/control/requests.ts';
import type { ControlChange } from '../../../data/run/atWork/controls.ts';
import type { ShardsReport } from '../../../workflows/tag/tagTypes.ts';
import { shardsReportSignal } from '../../../workflows/signals.ts';
import type { RunEvent } from './runEvent.ts';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

type Happened = RunEvent extends infer One ? (One extends RunEvent ? Omit<One, 'at'> : never) : never;

/** What the ends of activities tell, by the activity's type. */
const ENDS: Readonly<Record<string, (result: never) => Happened>> = {
  extractFeatures: ({ images, failed }: { images: number; failed: number }) => ({
    event: 'features',
    images,
    failed,
  }),
  scoreImages: ({ images, failed }: { images: number; failed: number }) => ({
    event: 'scored',
    images,
    failed,
  }),
  askCategories: ({ spent }: { spent: { input: number; output: number } }) => ({ event: 'answers', spent }),
  mergeRound: ({ round, loss }: { round: number; loss: number }) => ({ event: 'round', round, loss }),
  validateRound: ({ round, score }: { round: number; score: number }) => ({
    event: 'validation',
    round,
    score,
  }),
  noteStage: ({ stage, state, summary }: { stage: string; state: string; summary: string }) => ({
    event: 'stage ended',
    stage,
    state,
    summary,
  }),
};

/** Reads a run's events out of its workflow's history, which is told event by event, executions one after another. */
export class HistoryEvents {
  private activities = new Map<string, string>();
  private readonly asked: string[] = [];
  private stage: string | undefined;
  private paused: string | null = null;
  private done = 0;
  private planned: number | null = null;

  /** What one event of the history tells. */
  read(event: HistoryEvent): RunEvent[] {
    const { seconds = 0, nanos = 0 } = event.eventTime ?? {};
    const at = new Date(Number(seconds) * 1000 + (nanos ?? 0) / 1e6).toISOString();
    return this.happened(event).map((happened) => ({ at, ...happened }));
  }

  private happened(event: HistoryEvent): Happened[] {
    const started = event.workflowExecutionStartedEventAttributes;
    if (started) {
      this.activities = new Map();
      return started.continuedExecutionRunId ? [] : [{ event: 'started' }];
    }
    const fields = event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields;
    if (fields) return this.announced(decoded(fields['stage']), decoded(fields['paused']));
    const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input;
    if (request) return this.request(request.name ?? '', decoded(request.args?.payloads?.[0]));
    const signal = event.workflowExecutionSignaledEventAttributes;
    if (signal) {
      const argument = decoded(signal.input?.payloads?.[0]);
      return signal.signalName === shardsReportSignal.name
        ? this.shards(argument as ShardsReport)
        : this.request(signal.signalName ?? '', argument);
    }
    const child = event.childWorkflowExecutionStartedEventAttributes;
    if (child)
      return child.workflowType?.name === 'tagShards'
        ? []
        : [{ event: 'child', run: child.workflowExecution?.workflowId ?? '' }];
    return this.activity(event) ?? endOf(event);
  }

  private announced(stage: unknown, paused: unknown): Happened[] {
    const happened: Happened[] = [];
    if (typeof stage === 'string' && stage !== this.stage) {
      this.stage = stage;
      happened.push({ event: 'stage', stage });
    }
    const reason = typeof paused === 'string' ? paused : null;
    if (reason !== this.paused)
      happened.push(reason === null ? { event: 'resumed' } : { event: 'paused', reason });
    this.paused = reason;
    return happened;
  }

  private request(name: string, argument: unknown): Happened[] {
    const { id = '', by = '', ...change } = (argument ?? {}) as Partial<Asked> & ControlChange;
    if (id !== '' && this.asked.includes(id)) return [];
    this.asked.push(id);
    const who = by === '' ? 'somebody' : by;
    const { concurrency, maxFailureRate } = change;
    const set = {
      ...(concurrency !== undefined && { concurrency }),
      ...(maxFailureRate !== undefined && { maxFailureRate }),
    };
    const settings: Happened[] = Object.keys(set).length === 0 ? [] : [{ event: 'set', by: who, ...set }];
    switch (name) {
      case pauseUpdate.name:
        return [{ event: 'asked', what: 'pause', by: who }];
      case resumeUpdate.name:
        return [...settings, { event: 'asked', what: 'resume', by: who }];
      case cancelUpdate.name:
        return [{ event: 'asked', what: 'cancel', by: who }];
      case setUpdate.name:
        return settings;
      default:
        return [];
    }
  }

  private shards({ shards, first, last, done }: ShardsReport): Happened[] {
    if (shards === 0) return [];
    this.done += done.images;
    const { images, failures } = done;
    return [
      ...failures.map((failed): Happened => ({ event: 'failure', ...failed })),
      {
        event: 'shards',
        ...{ shards, first, last, images, failed: failedOf(done), done: this.done, planned: this.planned },
      },
    ];
  }

  private activity(event: HistoryEvent): Happened[] | undefined {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) {
      this.activities.set(String(event.eventId), scheduled.activityType?.name ?? '');
      return [];
    }
    const started = event.activityTaskStartedEventAttributes;
    if (started) {
      const { attempt, lastFailure, scheduledEventId } = started;
      if (!lastFailure || !attempt) return [];
      const activity = this.activities.get(String(scheduledEventId)) ?? '';
      const code = lastFailure.applicationFailureInfo?.type ?? 'Worker.Lost';
      return [{ event: 'retried', activity, attempts: attempt, code, message: lastFailure.message ?? '' }];
    }
    const completed = event.activityTaskCompletedEventAttributes;
    if (!completed) return undefined;
    const scheduledId = String(completed.scheduledEventId);
    const type = this.activities.get(scheduledId) ?? '';
    this.activities.delete(scheduledId);
    const result = decoded(completed.result?.payloads?.[0]);
    if (type === 'planCorpus') this.planned = (result as { keys: number }).keys;
    if (type === 'findPendingShards') this.done = (result as { done: { images: number } }).done.images;
    return type in ENDS ? [ENDS[type]!(result as never)] : [];
  }
}

function endOf(event: HistoryEvent): Happened[] {
  if (event.workflowExecutionCompletedEventAttributes) {
    const { result } = event.workflowExecutionCompletedEventAttributes;
    return [{ event: 'finished', result: decoded(result?.payloads?.[0]) ?? null }];
  }
  if (event.workflowExecutionFailedEventAttributes?.failure) {
    const { failure } = event.workflowExecutionFailedEventAttributes;
    const { code, message } = rootFailure(
      defaultFailureConverter.failureToError(failure, defaultPayloadConverter),
    );
    return [{ event: 'failed', code, message }];
  }
  if (event.workflowExecutionCanceledEventAttributes) return [{ event: 'cancelled' }];
  if (event.workflowExecutionTerminatedEventAttributes) return [{ event: 'terminated' }];
  if (event.workflowExecutionTimedOutEventAttributes) return [{ event: 'timed out' }];
  return [];
}

const decoded = (payload: Payload | null | undefined): unknown =>
  payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
