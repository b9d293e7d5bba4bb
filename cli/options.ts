import { Option, type Command } from 'commander';
import { loadSettings } from '../data/config/load.ts';
import {
  environmentName,
  flagName,
  settingsSchema,
  type SettingName,
  type Settings,
} from '../data/config/schema.ts';

const defaults = settingsSchema.parse({});

/** Adds the flags of settings to a command, described as the schema describes them. */
export function withSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const { description = '' } = settingsSchema.shape[name];
    const fallback = defaults[name];
    const told = fallback === undefined || description.includes('Default:') ? '' : ` Default: ${fallback}.`;
    const text = `${description}${told} [${environmentName(name)}]`;
    command.addOption(new Option(`${flagName(name)} <value>`, text));
  }
  return command.option('--config <file>', 'configuration file (default: c2srt.yaml, where there is one)');
}

/** The settings that a command's flags, the environment and the configuration file give. */
export function settingsOf(flags: Readonly<Record<string, unknown>>): Settings {
  const { config } = flags;
  return loadSettings(flags, process.env, ...(typeof config === 'string' ? [config] : []));
}

/** Settings of the process that runs the model. */
export const WORKER_SETTINGS: readonly SettingName[] = [
  'provider',
  'deviceId',
  'threads',
  'batchSize',
  'decodeProcesses',
  'fetchConcurrency',
  'shardSlots',
];

/** Settings of how a run is worked on. */
export const CONTROL_SETTINGS: readonly SettingName[] = [
  'concurrency',
  'maxFailureRate',
  'heartbeatTimeoutS',
];
