import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { z } from 'zod';
import { Failure, messageOf } from '../failure.ts';
import { evaluateSettingsSchema, gateSettingsSchema } from './evaluateSchema.ts';
import { graphSettingsSchema } from './graphSchema.ts';
import { retrainSettingsSchema } from './retrainSchema.ts';
import { environmentName, flagName, settingsSchema, type SettingName, type Settings } from './schema.ts';
import { pretrainSettingsSchema, trainSettingsSchema } from './trainSchema.ts';

export const CONFIG_FILE = 'c2srt.yaml';

/** Sections of the configuration file: what decides a training's result, and so is no worker's environment's to say. */
export const SECTIONS = {
  train: trainSettingsSchema,
  pretrain: pretrainSettingsSchema,
  graph: graphSettingsSchema,
  evaluate: evaluateSettingsSchema,
  gate: gateSettingsSchema,
  retrain: retrainSettingsSchema,
} as const;
export type SectionName = keyof typeof SECTIONS;
export type Section<Name extends SectionName> = z.infer<(typeof SECTIONS)[Name]>;

/**
 * The settings in force: flags over environment over the configuration file over defaults.
 * Throws `Config.Invalid`, which names the flag, variable or field, its value, and what it must be.
 */
export function loadSettings(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv = process.env,
  file = CONFIG_FILE,
): Settings {
  const fromFile = readConfigFile(file);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const name of Object.keys(settingsSchema.shape)) {
    const candidates: [unknown, string][] = [
      [flags[name], flagName(name)],
      [env[environmentName(name)] === '' ? undefined : env[environmentName(name)], environmentName(name)],
      [fromFile[name], `${name} in ${file}`],
    ];
    const chosen = candidates.find(([value]) => value !== undefined);
    if (chosen) [values[name], origins[name]] = chosen;
  }
  const parsed = settingsSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const name = String(issue.path[0]) as SettingName;
  throw new Failure(
    'Config.Invalid',
    `${origins[name] ?? name} is ${JSON.stringify(values[name])}: ${issue.message}.`,
    {
      hint: `${flagName(name)}: ${settingsSchema.shape[name].description ?? ''}`,
    },
  );
}

/**
 * A section's settings: flags over the configuration file over `recommended` over the schema's defaults.
 * Throws `Config.Invalid`, which names the flag or field, its value, and what it must be.
 */
export function loadSection<Name extends SectionName>(
  section: Name,
  flags: Readonly<Record<string, unknown>>,
  file = CONFIG_FILE,
  recommended: Partial<Section<Name>> = {},
): Section<Name> {
  const { shape } = SECTIONS[section];
  const fromFile = readConfigFile(file)[section] ?? {};
  if (!isFields(fromFile))
    throw new Failure('Config.Invalid', `${section} in ${file} must hold settings by name.`, {
      subject: file,
      hint: `For example: "${section}: { epochs: 3 }".`,
    });
  refuseUnknown(Object.keys(fromFile), Object.keys(shape), `${section} in ${file}`, file);
  const given = Object.fromEntries(
    Object.keys(shape).flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])),
  );
  const values: Record<string, unknown> = { ...recommended, ...fromFile, ...given };
  const parsed = SECTIONS[section].safeParse(values);
  if (parsed.success) return parsed.data as Section<Name>;
  const issue = parsed.error.issues[0]!;
  const path = issue.path.map(String);
  const name = path[0]!;
  const origin = name in given ? flagName(name) : `${[section, ...path].join('.')} in ${file}`;
  const schema = shape[name as keyof typeof shape] as z.ZodType;
  const value = issue.path.reduce(
    (inside: unknown, key) => (inside as Record<PropertyKey, unknown>)[key],
    values,
  );
  throw new Failure('Config.Invalid', `${origin} is ${JSON.stringify(value)}: ${issue.message}.`, {
    hint: `${section}.${name}: ${schema.description ?? ''}`,
  });
}

function readConfigFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) {
    if (file === CONFIG_FILE) return {};
    throw new Failure('Config.NotFound', `--config ${file} is not there.`, { subject: file });
  }
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new Failure('Config.Invalid', `${file} is not YAML: ${messageOf(error)}`, {
      subject: file,
      cause: error,
    });
  }
  if (!isFields(value))
    throw new Failure('Config.Invalid', `${file} must hold settings by name.`, {
      subject: file,
      hint: 'For example: "model: ./my-model".',
    });
  refuseUnknown(
    Object.keys(value),
    [...Object.keys(settingsSchema.shape), ...Object.keys(SECTIONS)],
    file,
    file,
  );
  return value;
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function refuseUnknown(
  names: readonly string[],
  known: readonly string[],
  place: string,
  file: string,
): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new Failure('Config.Invalid', `${place} has no setting called ${unknown}.`, {
    subject: file,
    hint: `Settings are: ${known.join(', ')}.`,
  });
}
