/** What the next attempt at an activity learns from the heartbeats of the one before. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { withHeartbeat } from '../../activities/activityScope.ts';
import { failureOf } from '../support/servers/s3.ts';

/** Failures are what these tests are about. */
const logger = new DefaultLogger('ERROR');

/** The details of all heartbeats of an attempt whose predecessor left `before`. */
async function heartbeatsOf(
  before: unknown,
  work: (report: (details: string) => void) => void,
): Promise<unknown[]> {
  const heartbeats: unknown[] = [];
  const environment = new MockActivityEnvironment({ heartbeatDetails: before }, { logger });
  environment.on('heartbeat', (details: unknown) => heartbeats.push(details));
  const attempt = () =>
    withHeartbeat<string, undefined>(({ previous, report }) => {
      expect(previous).toBe(before);
      work(report);
      return Promise.reject(new Error('broken'));
    });
  expect((await failureOf(environment.run(attempt))).message).toBe('broken');
  return heartbeats;
}

it('an attempt that reports nothing hands on what it was given', async () => {
  expect(await heartbeatsOf('cursor', () => undefined)).toEqual(['cursor', 'cursor']);
});

it('what was reported last arrives, however soon after it the attempt fails', async () => {
  const heartbeats = await heartbeatsOf(undefined, (report) => {
    report('one');
    report('two');
  });
  expect(heartbeats).toEqual([undefined, 'two']);
});
