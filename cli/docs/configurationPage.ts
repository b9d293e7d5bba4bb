import { z } from 'zod';
import { environmentName, flagName, settingsSchema, type SettingName } from '../../data/config/schema.ts';

const HEAD = `<!-- Made by \`npm run docs\` from data/config/schema.ts; do not edit. -->

# Configuration

A setting is taken from the first of these that has it:

1. the command's flag, as \`--shard-size 500\`;
2. the environment variable, as \`C2SRT_SHARD_SIZE=500\` (an empty one counts as none);
3. \`c2srt.yaml\` in the current directory, or the file that \`--config\` names, as \`shardSize: 500\`;
4. the default.

A value that a setting cannot have, or a name in the file that is none, is an error that says where it comes from, and
the command exits with 2. Each command takes the flags that mean something to it: \`c2srt COMMAND --help\` lists them.

`;

const TAIL = `
Object stores, Temporal and the hub have the variables that their own tools have: \`AWS_*\`, \`TEMPORAL_*\` and \`HF_*\`,
described in [operations.md](operations.md). \`C2SRT_CACHE\` is the folder of what is fetched once (default
\`~/.cache/c2srt\`); \`C2SRT_S3_PATH_STYLE\` puts the bucket into the path (default: where an endpoint is set).
`;

/** docs/configuration.md, made from the schema of the settings. */
export function configurationPage(): string {
  const { properties = {} } = z.toJSONSchema(settingsSchema);
  const rows = (Object.keys(settingsSchema.shape) as SettingName[]).map((name) => {
    const { description = '' } = settingsSchema.shape[name];
    // A default that the description words is one that depends on the machine.
    const [meaning = '', worded] = description.split(/\s*Default: /);
    const schema = properties[name] as { default?: unknown; enum?: unknown[] };
    const fallback = worded?.replace(/\.$/, '') ?? code(schema.default);
    const values = schema.enum ? ` One of ${schema.enum.map(code).join(', ')}.` : '';
    return [code(name), code(flagName(name)), code(environmentName(name)), fallback, meaning + values];
  });
  return `${HEAD}${table(['Setting', 'Flag', 'Environment', 'Default', 'Meaning'], rows)}${TAIL}`;
}

const code = (value: unknown): string => `\`${String(value)}\``;

/** A Markdown table, its columns aligned as the formatter aligns them. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(header) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
