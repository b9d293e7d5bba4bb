import {
  condition,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { runLanes } from '../lanes.ts';
import { shardWindowSignal } from '../signals.ts';
import { tagShards } from './tagShards.ts';
import type { ShardsReport, ShardWindow, TagShardsInput } from './tagTypes.ts';

/** Shards of one child workflow: keeps every history far below Temporal's limit on events. */
const SHARDS_PER_CHILD = 1000;

/** Children at work at once, so that while one ends others fill their windows. */
const CHILDREN = 4;

interface Child {
  id: string;
  told: ShardWindow;
  /** Revision of the last window that it has taken. */
  heard: number;
  /** The latest report, and what it says. */
  serial: number;
  inHand: number;
}

/** The children that tag a run's shards, and the window that they share. */
export class ShardChildren {
  /** Shards at work at once, over all children; 0 while the run is paused. */
  private readonly window: () => number;
  /** Lanes that have not run out of ranges, and what each has at work. */
  private readonly lanes = new Map<number, Child | undefined>();
  private starting = 0;
  private revision = 0;

  constructor(window: () => number) {
    this.window = window;
  }

  /** Workflow ids of the children at work. */
  get ids(): string[] {
    return this.children.map(({ id }) => id);
  }

  /** Shards that workers have in hand, as far as children have told. */
  get inHand(): number {
    return this.children.reduce((sum, child) => sum + child.inHand, 0);
  }

  /** Tags shards [0, to), range after range. */
  async tag(to: number, input: Omit<TagShardsInput, 'from' | 'to' | keyof ShardWindow>): Promise<void> {
    const ranges = Array.from({ length: Math.ceil(to / SHARDS_PER_CHILD) }, (_, i) => i * SHARDS_PER_CHILD);
    let next = 0;
    const count = Math.min(CHILDREN, ranges.length);
    for (let lane = 0; lane < count; lane++) this.lanes.set(lane, undefined);
    let lanes = 0;
    const work = async (): Promise<void> => {
      const lane = lanes++;
      try {
        for (;;) {
          // One whose share is nothing would hold a range that others could do.
          await condition(() => next >= ranges.length || this.windowOf(lane) > 0);
          const from = ranges[next++];
          if (from === undefined) return;
          await this.tagRange(lane, { ...input, from, to: Math.min(from + SHARDS_PER_CHILD, to) });
        }
      } finally {
        this.lanes.delete(lane);
        await this.tell();
      }
    };
    await runLanes(count, work, () => (next = ranges.length));
  }

  /** Tells children what has become of their windows. */
  async tell(): Promise<void> {
    const signals: Promise<unknown>[] = [];
    for (const [lane, child] of this.lanes) {
      const window = this.windowOf(lane);
      if (!child || child.told.window === window) continue;
      child.told = { window, revision: ++this.revision };
      // One that has just ended needs no telling.
      signals.push(
        getExternalWorkflowHandle(child.id)
          .signal(shardWindowSignal, child.told)
          .catch(() => undefined),
      );
    }
    await Promise.all(signals);
  }

  /** Resolves once every child has taken what it was told last. */
  async heard(): Promise<void> {
    await condition(
      () => this.starting === 0 && this.children.every(({ told, heard }) => heard >= told.revision),
    );
  }

  note({ child: id, serial, revision, inHand }: ShardsReport): void {
    const child = this.children.find((one) => one.id === id);
    if (child && serial > child.serial) Object.assign(child, { serial, heard: revision, inHand });
  }

  private get children(): Child[] {
    return [...this.lanes.values()].filter((child) => child !== undefined);
  }

  /** The lane's share of the window: all are even, the first ones have what is over. */
  private windowOf(lane: number): number {
    const [window, lanes] = [this.window(), [...this.lanes.keys()]];
    const over = lanes.indexOf(lane) < window % lanes.length ? 1 : 0;
    return Math.floor(window / lanes.length) + over;
  }

  private async tagRange(lane: number, input: Omit<TagShardsInput, keyof ShardWindow>): Promise<void> {
    const { workflowId, runId } = workflowInfo();
    const told = { window: this.windowOf(lane), revision: ++this.revision };
    // Named by execution too: those of a terminated one may still be ending when its successor starts.
    const id = `${workflowId}/${runId.slice(0, 8)}/shards-${input.from}`;
    this.starting++;
    try {
      const child = await startChild(tagShards, {
        workflowId: id,
        args: [{ ...input, ...told }],
        parentClosePolicy: ParentClosePolicy.TERMINATE,
      }).finally(() => this.starting--);
      this.lanes.set(lane, { id, told, heard: told.revision, serial: 0, inHand: 0 });
      await this.tell();
      await child.result();
    } finally {
      this.lanes.set(lane, undefined);
    }
  }
}
