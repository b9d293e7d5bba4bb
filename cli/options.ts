import { Option, type Command } from 'commander';
import { loadSection, loadSettings, SECTIONS, type Section, type SectionName } from '../data/config/load.ts';
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

/** Adds flags for some settings of a section, described as its schema describes them. */
export function withSection<Name extends SectionName>(
  command: Command,
  section: Name,
  names: readonly (keyof Section<Name> & string)[],
): Command {
  const { shape } = SECTIONS[section];
  const fallbacks: Readonly<Record<string, unknown>> = SECTIONS[section].parse({});
  for (const name of names) {
    const { description = '' } = shape[name as keyof typeof shape] as { description?: string };
    const fallback = fallbacks[name];
    const told = typeof fallback === 'string' || typeof fallback === 'number' ? ` Default: ${fallback}.` : '';
    command.addOption(
      new Option(`${flagName(name)} <value>`, `${description}${told} [${section}.${name} in the file]`),
    );
  }
  return command;
}

/** The settings of a section that a command's flags and the configuration file give, `recommended` ones where they do not. */
export function sectionOf<Name extends SectionName>(
  section: Name,
  flags: Readonly<Record<string, unknown>>,
  recommended: Partial<Section<Name>> = {},
): Section<Name> {
  const { config } = flags;
  return loadSection(section, flags, typeof config === 'string' ? config : undefined, recommended);
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

/** Settings of how a training is worked on. Its batch size is in its own section: another number means another result. */
export const TRAINING_SETTINGS: readonly SettingName[] = [
  'concurrency',
  'heartbeatTimeoutS',
  ...WORKER_SETTINGS.filter((name) => name !== 'batchSize'),
];

/** Settings of the process that asks a language model. */
export const LLM_WORKER_SETTINGS: readonly SettingName[] = [
  'llmBaseUrl',
  'llmApiKeyVariable',
  'llmTimeoutMs',
];

/** Settings of how a language model is asked. */
export const LLM_CONTROL_SETTINGS: readonly SettingName[] = [
  'llmConcurrency',
  'llmBatch',
  'llmRequestsPerMinute',
  'llmTokensPerMinute',
  'llmMaxCostUsd',
  'llmInputPrice',
  'llmOutputPrice',
];

/** Settings of sections that are flags too. */
export const SECTION_FLAGS = {
  train: ['epochs', 'shards', 'seed', 'form', 'trainedBlocks', 'unlisted'],
  pretrain: ['epochs', 'shards', 'seed'],
  graph: ['provider', 'llm', 'candidates'],
  evaluate: ['calibration', 'baselines', 'resamples', 'unlisted', 'seed'],
  gate: [],
  retrain: [],
} as const satisfies { [Name in SectionName]: readonly (keyof Section<Name>)[] };
