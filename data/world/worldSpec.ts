import sharp from 'sharp';
import { specDifferences } from '../run/differences.ts';
import { Failure } from '../failure.ts';
import { putJsonOnce, readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import type { IconSet } from './art/iconSet.ts';
import type { Domain, WorldSplit } from './art/styles.ts';

/** What is asked of the generator. */
export interface WorldRequest {
  domain: Domain;
  split: WorldSplit;
  /** A whole number from 0. */
  seed: number;
  /** Scenes; scene i is the same however many there are. */
  count: number;
}

/** Everything that determines a folder of scenes. */
export interface WorldSpec extends WorldRequest {
  /** Raised by any change of the code after which a scene has other pixels, labels or captions. */
  generator: number;
  /** Versions of the icon sets' packages, and of sharp, by name. */
  packages: Readonly<Record<string, string>>;
}

const GENERATOR = 1;

const SPEC_KEY = '_world.json';

/** The spec of what is asked, drawn with these sets. */
export function worldSpec(asked: WorldRequest, sets: readonly IconSet[]): WorldSpec {
  return {
    ...asked,
    generator: GENERATOR,
    packages: Object.fromEntries([
      ...sets.map((set) => [`@iconify-json/${set.style.name}`, set.version] as const),
      ['sharp', sharp.versions.sharp],
    ]),
  };
}

/**
 * Writes the spec where none is yet.
 *
 * @throws Failure `World.Different` where the folder holds, or is to hold, other scenes
 */
export async function claimWorld(store: ObjectStore, spec: WorldSpec): Promise<void> {
  const read = () => readJsonIfThere(store, SPEC_KEY) as Promise<WorldSpec | undefined>;
  const there = (await read()) ?? (await putJsonOnce(store, SPEC_KEY, spec, read));
  const differences = specDifferences(there, spec);
  if (differences.length === 0) return;
  throw new Failure('World.Different', `${store.uri} is of other scenes: ${differences.join('; ')}.`, {
    subject: store.describeKey(SPEC_KEY),
    hint: 'Give another --out, or repeat the command that this folder was made with.',
  });
}
