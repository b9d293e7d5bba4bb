import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { Failure, messageOf } from '../failure.ts';
import { environmentName, flagName, settingsSchema, type SettingName, type Settings } from './schema.ts';

export const CONFIG_FILE = 'c2srt.yaml';

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

function readConfigFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) return {};
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new Failure('Config.Invalid', `${file} is not YAML: ${messageOf(error)}`, {
      subject: file,
      cause: error,
    });
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(value);
  if (!parsed.success)
    throw new Failure('Config.Invalid', `${file} must hold settings by name.`, {
      subject: file,
      hint: 'For example: "model: ./my-model".',
    });
  const unknown = Object.keys(parsed.data).find((name) => !(name in settingsSchema.shape));
  if (unknown !== undefined) {
    throw new Failure('Config.Invalid', `${file} has no setting called ${unknown}.`, {
      subject: file,
      hint: `Settings are: ${Object.keys(settingsSchema.shape).join(', ')}.`,
    });
  }
  return parsed.data;
}
