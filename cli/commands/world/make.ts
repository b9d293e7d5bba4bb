import { writeFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import { openStore } from '../../../data/store/open.ts';
import { DOMAINS, WORLD_SPLITS, type Domain, type WorldSplit } from '../../../data/world/art/styles.ts';
import { contactSheet } from '../../../data/world/contactSheet.ts';
import { makeWorld } from '../../../data/world/makeWorld.ts';
import { EXIT } from '../../exit.ts';
import { wholeNumber } from '../../wholeNumber.ts';

interface MakeFlags {
  domain: Domain;
  split: WorldSplit;
  seed: string;
  count: string;
  out: string;
  contactSheet?: string;
  json?: boolean;
}

/** The manifest is put as one object, from memory. */
const MOST_SCENES = 200_000;

export function worldMakeCommand(world: Command, finish: (code: number) => void): void {
  world
    .command('make')
    .description('Draw scenes, with a manifest to train or pre-train on, categories, a graph and the truth.')
    .addOption(
      new Option(
        '--domain <name>',
        'web: 1 to 3 large objects, with captions, to pre-train on; target: 1 to 6 of all sizes, to tag',
      )
        .choices(DOMAINS)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--split <name>', 'whose art: each split has artists of its own')
        .choices(WORLD_SPLITS)
        .makeOptionMandatory(),
    )
    .option('--seed <number>', 'other seeds are other scenes', '0')
    .requiredOption('--count <scenes>', `how many, at most ${MOST_SCENES.toLocaleString('en')}`)
    .requiredOption('--out <uri>', 'where to: s3://bucket/prefix or a folder')
    .option('--contact-sheet <file>', 'write a PNG of the first scenes to this machine')
    .option('--json', 'print one JSON object at the end, nothing else')
    .action(async (flags: MakeFlags) => {
      const count = wholeNumber('--count', flags.count);
      if (count > MOST_SCENES)
        throw new Failure('Usage.Flag', `--count is ${count}: at most ${MOST_SCENES} go into one folder.`, {
          hint: 'Make several folders with other seeds.',
        });
      const { domain, split } = flags;
      const seed = wholeNumber('--seed', flags.seed, 0);
      const store = openStore(flags.out);
      const made = await makeWorld(store, { domain, split, seed, count }, (scenes) => {
        if (!flags.json) console.error(`${scenes.toLocaleString('en')} scenes ...`);
      });
      if (flags.contactSheet !== undefined)
        await writeFile(flags.contactSheet, await contactSheet(store, count));
      if (flags.json) console.log(JSON.stringify({ out: store.uri, ...made }));
      else console.log(summary(made.scenes, made.drawn, store.uri));
      finish(EXIT.ok);
    });
}

function summary(scenes: number, drawn: number, out: string): string {
  const all = `${scenes.toLocaleString('en')} scenes in ${out}`;
  if (drawn === scenes) return all;
  return `${all}; ${drawn === 0 ? 'all' : (scenes - drawn).toLocaleString('en')} of them were there already`;
}
