import { z } from 'zod';
import { SECTIONS, type SectionName } from '../../data/config/load.ts';
import { environmentName, flagName, settingsSchema } from '../../data/config/schema.ts';
import { SECTION_FLAGS } from '../options.ts';

const HEAD = `<!-- Made by \`npm run docs\` from the schemas in data/config/; do not edit. -->

# Configuration

A setting is taken from the first of these that has it:

1. the command's flag, as \`--shard-size 500\`;
2. the environment variable, as \`C2SRT_SHARD_SIZE=500\` (an empty one counts as none);
3. \`c2srt.yaml\` in the current directory, or the file that \`--config\` names, as \`shardSize: 500\`;
4. the default.

A value that a setting cannot have, or a name in the file that is none, is an error that says where it comes from, and
the command exits with 2. Each command takes the flags that mean something to it: \`c2srt COMMAND --help\` lists them.

`;

const SECTIONS_HEAD = `
## Training

What decides the result of \`c2srt train\` and \`c2srt pretrain\` stands in sections of the file of their own, and in no
environment variable: a worker's environment must not change what a training comes to. Some settings have a flag, which
goes before the file. All of them are part of the run: the same command with another value is another run.

\`\`\`yaml
train:
  epochs: 5
  trainedBlocks: 2
\`\`\`
`;

const EVALUATION_HEAD = `
## Evaluation and gate

The same holds of what decides an evaluation's figures, and of what a candidate must reach ([evaluation.md](evaluation.md)).

\`\`\`yaml
evaluate:
  topK: [10, 20]
gate:
  rules:
    - { metric: mAP, categories: unseen, tolerance: 0.5 }
    - { metric: F1@10, categories: all, against: clip }
\`\`\`
`;

const GRAPH_HEAD = `
## Category graphs

What decides a graph that \`c2srt graph build\` makes ([graph.md](graph.md)). Where the language model is, how fast it is
asked and what that may cost are settings of the first table, because they may change when a run is resumed.

\`\`\`yaml
graph:
  provider: llm
  llm: some-model
llmBaseUrl: http://localhost:8000/v1
llmCache: s3://bucket/answers
\`\`\`
`;

const TAIL = `
## Variables of other tools

Object stores, Temporal and the hub have the variables that their own tools have: \`AWS_*\`, \`TEMPORAL_*\` and \`HF_*\`,
described in [operations.md](operations.md). \`C2SRT_CACHE\` is the folder of what is fetched once (default
\`~/.cache/c2srt\`); \`C2SRT_S3_PATH_STYLE\` puts the bucket into the path (default: where an endpoint is set).
`;

/** docs/configuration.md, made from the schema of the settings. */
export function configurationPage(): string {
  const rows = describe(settingsSchema).map(({ name, fallback, meaning }) => [
    code(name),
    code(flagName(name)),
    code(environmentName(name)),
    fallback,
    meaning,
  ]);
  const settings = table(['Setting', 'Flag', 'Environment', 'Default', 'Meaning'], rows);
  const training = `${SECTIONS_HEAD}${sectionTables(['train', 'pretrain'])}`;
  const evaluation = `${EVALUATION_HEAD}${sectionTables(['evaluate', 'gate'])}`;
  const graph = `${GRAPH_HEAD}${sectionTables(['graph'])}`;
  return `${HEAD}${settings}${training}${graph}${evaluation}${TAIL}`;
}

function sectionTables(names: readonly SectionName[]): string {
  const tables = names.map((section) => {
    const flags: readonly string[] = SECTION_FLAGS[section];
    const cells = describe(SECTIONS[section]).map(({ name, fallback, meaning }) => [
      code(name),
      flags.includes(name) ? code(flagName(name)) : '',
      fallback,
      meaning,
    ]);
    return `\n### ${code(section)}\n\n${table(['Setting', 'Flag', 'Default', 'Meaning'], cells)}`;
  });
  return tables.join('');
}

/** A schema's settings in order, with their defaults and meanings in words. */
function describe(schema: z.ZodObject): { name: string; fallback: string; meaning: string }[] {
  const { properties = {} } = z.toJSONSchema(schema);
  return Object.entries(schema.shape).map(([name, setting]) => {
    const { description = '' } = setting as z.ZodType;
    // A default that the description words depends on the machine or the model.
    const [meaning = '', worded] = description.split(/\s*Default: /);
    const property = properties[name] as { default?: unknown; enum?: unknown[] };
    const values = property.enum ? ` One of ${property.enum.map(code).join(', ')}.` : '';
    return {
      name,
      fallback: worded?.replace(/\.$/, '') ?? code(property.default),
      meaning: meaning + values,
    };
  });
}

const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** A Markdown table, its columns aligned as the formatter aligns them. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(header) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
