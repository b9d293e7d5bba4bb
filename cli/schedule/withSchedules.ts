import type { ScheduleClient } from '@temporalio/client';
import { settingsOf } from '../options.ts';
import { openSession, type Session } from '../run/session.ts';

/** Runs `work` with a server's schedules; the connection is closed after it. */
export async function withSchedules<T>(
  flags: Readonly<Record<string, unknown>>,
  work: (schedules: ScheduleClient, session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(settingsOf(flags), () => undefined);
  try {
    return await work(session.client.schedule, session);
  } finally {
    await session.close();
  }
}
