import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { Failure } from '../../failure.ts';
import { OBJECT_NAMES, OBJECTS, type ObjectName } from '../recipe/objects.ts';
import { STYLES, type Style, type WorldSplit } from './styles.ts';

const Icons = z.object({
  width: z.number().default(16),
  height: z.number().default(16),
  icons: z.record(
    z.string(),
    z.object({ body: z.string(), width: z.number().optional(), height: z.number().optional() }),
  ),
  aliases: z.record(z.string(), z.looseObject({ parent: z.string() })).default({}),
});

const Info = z.object({ license: z.object({ title: z.string(), url: z.string() }) });

/** Icons that show something else than other sets do under their name: a face, a desktop computer. */
const MISLEADING = new Set(['fxemoji/sunglasses', 'noto-v1/laptop', 'noto-v1/laptop-computer']);

/** An icon set of npm, as the world's objects need it. */
export interface IconSet {
  style: Style;
  /** Its package's. */
  version: string;
  license: { title: string; url: string };
  /** Names of the icons that show each object; those that it cannot draw are missing. */
  iconsOf: ReadonlyMap<ObjectName, readonly string[]>;
  /** A whole SVG document. */
  svg: (icon: string) => string;
}

/**
 * The icon sets that a split is drawn with.
 *
 * @throws Failure `World.NoArt` where a set's package is not installed
 */
export const openIconSets = (split: WorldSplit): Promise<IconSet[]> =>
  Promise.all(STYLES[split].map((style) => openIconSet(style, split)));

async function openIconSet(style: Style, split: WorldSplit): Promise<IconSet> {
  const require = createRequire(import.meta.url);
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(resolve(require, style, split, file), 'utf8'));
  const { icons, aliases, ...size } = Icons.parse(await read('icons.json'));
  const { license } = Info.parse(await read('info.json'));
  const { version } = z.object({ version: z.string() }).parse(await read('package.json'));
  const drawingOf = (name: string) => icons[aliases[name]?.parent ?? name];
  const pictures = (names: readonly string[]): string[] => {
    const found = names.filter((name) => drawingOf(name) && !MISLEADING.has(`${style.name}/${name}`));
    // Two names may be one picture.
    return [...new Map(found.map((name) => [drawingOf(name), name])).values()];
  };
  return {
    style,
    version,
    license,
    iconsOf: new Map(
      OBJECT_NAMES.map((object): [ObjectName, string[]] => [object, pictures(OBJECTS[object].icons)]).filter(
        ([, names]) => names.length > 0,
      ),
    ),
    svg(icon) {
      const { body, width = size.width, height = size.height } = drawingOf(icon)!;
      return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${SVG_PX}" height="${SVG_PX}" viewBox="0 0 ${width} ${height}">${body}</svg>`;
    },
  };
}

/** Width and height of a drawing with its margin, so that what is trimmed is rarely smaller than a sprite. */
const SVG_PX = 160;

function resolve(require: NodeJS.Require, { name }: Style, split: WorldSplit, file: string): string {
  try {
    return require.resolve(`@iconify-json/${name}/${file}`);
  } catch (cause) {
    const packages = STYLES[split].map((style) => `@iconify-json/${style.name}`).join(' ');
    throw new Failure('World.NoArt', `The icons that ${split} scenes are drawn with are not installed.`, {
      subject: `@iconify-json/${name}`,
      hint: `Beside c2srt: npm install ${packages}`,
      cause,
    });
  }
}
