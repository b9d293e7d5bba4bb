import type { Settings } from '../../data/config/schema.ts';
import { retrainAction } from './retrainAction.ts';
import { tagAction, type TagActionFlags } from './tagAction.ts';

/** The workflow that a schedule starts each time that it fires. */
export interface ScheduledAction {
  workflow: string;
  args: unknown[];
  /** Its ids are this and the time that it was started for. */
  workflowIdPrefix: string;
  memo: Record<string, unknown>;
}

export type ActionFlags = TagActionFlags & { config?: string };

/** Reads what a schedule needs now, and freezes it in the store for all its runs. */
type ActionMaker = (name: string, flags: ActionFlags, settings: Settings) => Promise<ScheduledAction>;

/** What a schedule can do, and the workflow that does it. */
const ACTIONS = {
  retrain: { workflow: 'retrainOnSchedule', make: retrainAction },
  tag: { workflow: 'tagIncrement', make: tagAction },
} as const satisfies Record<string, { workflow: string; make: ActionMaker }>;

export type What = keyof typeof ACTIONS;
export const WHATS = Object.keys(ACTIONS) as What[];

/** What a schedule does, by the workflow that it starts; undefined where that is none of ours. */
export const whatOf = (workflow: string | undefined): What | undefined =>
  WHATS.find((what) => ACTIONS[what].workflow === workflow);

export const scheduledActionOf = (
  what: What,
  name: string,
  flags: ActionFlags,
  settings: Settings,
): Promise<ScheduledAction> => ACTIONS[what].make(name, flags, settings);
