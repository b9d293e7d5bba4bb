/** NUS-WIDE: 269,648 images of Flickr with 81 concepts, labelled by people, and the 1,000 most frequent tags. */
import type { Split } from '../../categories.ts';
import type { StoreOptions } from '../../store/open.ts';
import { chooseCategories, type LabelKind, type SplitLists } from './chosenCategories.ts';
import { noneDropped, type Layout, type LayoutRecord } from './layout.ts';
import { firstOf, invalidSource, sourceLines, type SourceFile, type SourceLine } from './sourceFiles.ts';

export const NUS_WIDE_SUBSETS = ['all', 'train', 'test'] as const;
export type NusWideSubset = (typeof NUS_WIDE_SUBSETS)[number];

export interface NusWideOptions {
  /** URI of the folder with the unpacked archives: concepts, image lists, ground truth, tags. */
  folder: string;
  subset: NusWideSubset;
  /** Whether tags that are no concept are categories too: seen ones, the concepts then being unseen. */
  tags: boolean;
  lists: SplitLists;
  store?: StoreOptions;
}

/** Names of the files of a subset, and of a concept in it. */
const NAMES: Record<NusWideSubset, { images: string; tags: string; concept: (name: string) => string }> = {
  all: {
    images: 'Imagelist.txt',
    tags: 'AllTags1k.txt',
    concept: (name) => `AllLabels/Labels_${name}.txt`,
  },
  train: {
    images: 'TrainImagelist.txt',
    tags: 'Train_Tags1k.dat',
    concept: (name) => `TrainTestLabels/Labels_${name}_Train.txt`,
  },
  test: {
    images: 'TestImagelist.txt',
    tags: 'Test_Tags1k.dat',
    concept: (name) => `TrainTestLabels/Labels_${name}_Test.txt`,
  },
};

/** The archives' own folders; some people unpack them into one. */
const FOLDERS = {
  concepts: ['ConceptsList/', ''],
  images: ['ImageList/', ''],
  labels: ['Groundtruth/', ''],
  tags: ['NUS_WID_Tags/', 'NUS_WIDE_Tags/', ''],
};

/**
 * Opens NUS-WIDE's own files. A concept's label is what people said, even where there is a tag of its name; what is not
 * labelled or tagged is absent. Memory: a byte per image and concept.
 *
 * @throws Failure `Store.NotFound` naming the files looked for; `Dataset.Invalid` naming file and line
 */
export async function openNusWide(options: NusWideOptions): Promise<Layout> {
  const { folder, subset, tags, lists, store } = options;
  const find = (kind: keyof typeof FOLDERS, name: string): Promise<SourceFile> =>
    firstOf(
      folder,
      FOLDERS[kind].map((prefix) => prefix + name),
      store,
    );
  const conceptsFile = await find('concepts', 'Concepts81.txt');
  const concepts = await namesOf(conceptsFile);
  const isConcept = new Set(concepts);
  const tagNames = tags ? await namesOf(await find('tags', 'TagList1k.txt')) : [];
  const kinds: LabelKind[] = [
    ...tagNames.filter((name) => !isConcept.has(name)).map((name) => kindOf(name, 'seen')),
    ...concepts.map((name) => kindOf(name, tags ? 'unseen' : 'seen')),
  ];
  const chosen = chooseCategories(kinds, conceptsFile.uri, lists);
  const files = NAMES[subset];
  const images = await find('images', files.images);
  const truth = await Promise.all(concepts.map((name) => find('labels', files.concept(name))));
  const tagRows = tags ? await find('tags', files.tags) : undefined;
  const dropped = noneDropped();
  return {
    categories: chosen.categories,
    unlisted: 'absent',
    dropped,
    async *records() {
      const count = await countLines(images);
      const columns: { category: number | null; values: Uint8Array }[] = [];
      for (const [i, file] of truth.entries())
        columns.push({
          category: chosen.indexOf.get(concepts[i]!)!,
          values: await columnOf(file, count, images),
        });
      const tagged = tagRows && sourceLines(tagRows);
      const tagCategories = tagNames.map((name) =>
        isConcept.has(name) ? undefined : chosen.indexOf.get(name)!,
      );
      let row = 0;
      for await (const line of sourceLines(images)) {
        const record: LayoutRecord = {
          path: pathOf(line, images),
          present: [],
          absent: [],
          isMachine: false,
        };
        const add = (category: number | null): void => {
          if (category === null) dropped.notListed++;
          else record.present.push(category);
        };
        for (const { category, values } of columns) if (values[row] === 1) add(category);
        if (tagged) {
          const next = await tagged.next();
          if (next.done === true) throw unequal(tagRows, row, images, count);
          for (const [tag, isThere] of tagsOf(next.value, tagNames.length, record.path, tagRows).entries())
            if (isThere && tagCategories[tag] !== undefined) add(tagCategories[tag]);
        }
        yield record;
        row++;
      }
      if (tagged && (await tagged.next()).done !== true)
        throw unequal(tagRows, await countLines(tagRows), images, count);
    },
  };
}

const kindOf = (name: string, split: Split): LabelKind => ({ id: name, name, split });

async function namesOf(file: SourceFile): Promise<string[]> {
  const names: string[] = [];
  for await (const { text } of sourceLines(file)) names.push(text);
  return names;
}

async function countLines(file: SourceFile): Promise<number> {
  let count = 0;
  for await (const _ of sourceLines(file)) count++;
  return count;
}

/** `actor\0001_2124494179.jpg` as a path. */
function pathOf({ line, text }: SourceLine, file: SourceFile): string {
  const path = text.replaceAll('\\', '/');
  if (/^([^/]+\/)*[^/]+\.\w+$/.test(path) && !/(^|\/)\.\.?\//.test(path)) return path;
  throw invalidSource(file, `line ${line}: "${text}" is no image's path`);
}

/** A 0 or 1 per line. */
async function columnOf(file: SourceFile, count: number, images: SourceFile): Promise<Uint8Array> {
  const values = new Uint8Array(count);
  let row = 0;
  for await (const { line, text } of sourceLines(file)) {
    if (text !== '0' && text !== '1') throw invalidSource(file, `line ${line}: "${text}" is neither 0 nor 1`);
    if (row < count) values[row] = Number(text);
    row++;
  }
  if (row !== count) throw unequal(file, row, images, count);
  return values;
}

/** Whether each tag is there. Rows of all images begin with the photo's id, which is in its file's name too. */
function tagsOf({ line, text }: SourceLine, count: number, path: string, file: SourceFile): boolean[] {
  const cells = text.split(/\s+/);
  if (cells.length === count + 1) {
    const id = cells.shift()!;
    if (!path.includes(id))
      throw invalidSource(file, `line ${line}: photo ${id} is not the image list's ${path}`);
  }
  if (cells.length !== count)
    throw invalidSource(file, `line ${line} has ${cells.length} numbers; there are ${count} tags`);
  return cells.map((cell) => {
    if (cell === '0' || cell === '1') return cell === '1';
    throw invalidSource(file, `line ${line}: "${cell}" is neither 0 nor 1`);
  });
}

const unequal = (file: SourceFile, rows: number, images: SourceFile, count: number): Error =>
  invalidSource(file, `it has ${rows} lines, and ${images.uri} has ${count} images`);
