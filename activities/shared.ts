/** What is kept open without a user: the next shard, round or run needs the same again. */
const IDLE = 1;

/** Resources by key (sessions, opened runs), opened once and shared; of those without users the latest {@link IDLE} stay. */
export class Shared<Opened> {
  /** In order of last use. */
  private readonly resources = new Map<string, { opened: Promise<Opened>; users: number }>();
  private readonly close: (key: string, opened: Opened) => Promise<unknown>;

  constructor(close: (key: string, opened: Opened) => Promise<unknown>) {
    this.close = close;
  }

  /** The resource of this key; each call is to be followed by one of {@link release}, unless it rejects. */
  async use(key: string, open: () => Promise<Opened>): Promise<Opened> {
    const resource = this.resources.get(key) ?? { opened: open(), users: 0 };
    resource.users++;
    this.resources.delete(key);
    this.resources.set(key, resource);
    try {
      return await resource.opened;
    } catch (error) {
      if (this.resources.get(key) === resource) this.resources.delete(key);
      throw error;
    }
  }

  async release(key: string): Promise<void> {
    const resource = this.resources.get(key);
    if (resource) resource.users--;
    const idle = [...this.resources].filter(([, { users }]) => users === 0);
    for (const [idleKey, { opened }] of idle.slice(0, Math.max(0, idle.length - IDLE))) {
      this.resources.delete(idleKey);
      await this.close(idleKey, await opened);
    }
  }
}
