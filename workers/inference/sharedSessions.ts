/** Sessions without users that are kept open: the next shard, round or run needs the same again. */
const IDLE_SESSIONS = 1;

/** Sessions by key, opened once and shared; of those without users the latest {@link IDLE_SESSIONS} stay. */
export class SharedSessions<Opened> {
  /** In order of last use. */
  private readonly sessions = new Map<string, { opened: Promise<Opened>; users: number }>();
  private readonly close: (key: string) => Promise<unknown>;

  constructor(close: (key: string) => Promise<unknown>) {
    this.close = close;
  }

  async use(key: string, open: () => Promise<Opened>): Promise<Opened> {
    const session = this.sessions.get(key) ?? { opened: open(), users: 0 };
    session.users++;
    this.sessions.delete(key);
    this.sessions.set(key, session);
    try {
      return await session.opened;
    } catch (error) {
      if (this.sessions.get(key) === session) this.sessions.delete(key);
      throw error;
    }
  }

  async release(key: string): Promise<void> {
    const session = this.sessions.get(key);
    if (session) session.users--;
    const idle = [...this.sessions].filter(([, { users }]) => users === 0);
    for (const [idleKey] of idle.slice(0, Math.max(0, idle.length - IDLE_SESSIONS))) {
      this.sessions.delete(idleKey);
      await this.close(idleKey);
    }
  }
}
