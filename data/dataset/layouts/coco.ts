/** COCO's instances: one JSON file of images, annotations and categories, which many other data sets write as well. */
import { z } from 'zod';
import { externalSort } from '../../externalSort.ts';
import { messageOf } from '../../failure.ts';
import type { StoreOptions } from '../../store/open.ts';
import {
  chooseCategories,
  type ChosenCategories,
  type LabelKind,
  type SplitLists,
} from './chosenCategories.ts';
import { jsonElements } from './jsonElements.ts';
import { noneDropped, type Layout, type LayoutRecord } from './layout.ts';
import { invalidSource, sourceFile, sourcePieces, type SourceFile } from './sourceFiles.ts';

export interface CocoOptions {
  /** URI of the annotations, as `instances_val2017.json`. */
  annotations: string;
  lists: SplitLists;
  store?: StoreOptions;
}

const text = z
  .string()
  .min(1)
  .refine(
    (written) => written.isWellFormed() && !written.includes('\0'),
    'holds characters that no name has',
  );
const id = z.union([z.int(), text]);
const ELEMENTS = {
  images: z.object({ id, file_name: text }),
  annotations: z.object({ image_id: id, category_id: id }),
  categories: z.object({ id, name: z.string().refine((name) => name.trim() !== '', 'is empty') }),
};

/** Large, and nothing of what is in an image. */
const SKIPPED = ['segmentation', 'bbox'];

/** What is said of an image, by the file's own ids; `path` of the image itself, `category` of an annotation. */
interface Said {
  /** Of the image, then what is said of it: the image itself comes first. */
  key: string;
  image: string;
  place: string;
  path?: string;
  category?: string;
}

/**
 * Opens an annotation file. A category is present where an annotation says so, of a crowd too, and absent otherwise. The
 * file is read once, here, a piece at a time; the records can be had once.
 *
 * @throws Failure `Dataset.Invalid` naming file and element: what is no JSON, lacks an id, or refers to an image or a
 *   category that the file has not
 */
export async function openCoco({ annotations, lists, store }: CocoOptions): Promise<Layout> {
  const file = sourceFile(annotations, store);
  const kinds = new Map<string, LabelKind>();
  const sorted = externalSort(sayings(file, kinds), { keyOf: ({ key }) => key });
  try {
    // The first one is known when all are read, and the categories with them.
    const first = await sorted.next();
    const chosen = chooseCategories([...kinds.values()], file.uri, lists);
    const dropped = noneDropped();
    return {
      categories: chosen.categories,
      unlisted: 'absent',
      dropped,
      async *records() {
        let image: (LayoutRecord & { id: string }) | undefined;
        const take = function* (said: Said): Generator<LayoutRecord> {
          if (said.path === undefined) {
            if (image?.id !== said.image)
              throw invalidSource(file, `${said.place}: there is no image with the id ${said.image}`);
            const category = categoryOf(said, chosen, file);
            if (category === null) dropped.notListed++;
            else image.present.push(category);
            return;
          }
          if (image?.id === said.image)
            throw invalidSource(file, `${said.place} has the id ${said.image}, which another image has`);
          if (image) yield image;
          image = { id: said.image, path: said.path, present: [], absent: [], isMachine: false };
        };
        if (first.done !== true) yield* take(first.value);
        for await (const said of sorted) yield* take(said);
        if (image) yield image;
      },
    };
  } catch (error) {
    await sorted.return();
    throw error;
  }
}

function categoryOf(
  { category, place }: Said,
  { indexOf }: ChosenCategories,
  file: SourceFile,
): number | null {
  const index = indexOf.get(category!);
  if (index === undefined)
    throw invalidSource(file, `${place}: there is no category with the id ${category!}`);
  return index;
}

/** What the file says of images; its categories go to `kinds`. */
async function* sayings(file: SourceFile, kinds: Map<string, LabelKind>): AsyncGenerator<Said> {
  let ordinal = 0;
  for await (const { place, array, value } of elements(file)) {
    if (array === 'categories') {
      const id = String(value.id);
      if (kinds.has(id)) throw invalidSource(file, `${place} has the id ${id}, which another category has`);
      kinds.set(id, { id, name: value.name });
      continue;
    }
    const number = String(ordinal++).padStart(12, '0');
    const image = String(array === 'images' ? value.id : value.image_id);
    // The number keeps a second image of one id, which the sort would drop.
    yield array === 'images'
      ? { key: `${image}\0\0${number}`, image, place, path: value.file_name }
      : { key: `${image}\0\u0001${number}`, image, place, category: String(value.category_id) };
  }
}

type Elements = { [Name in keyof typeof ELEMENTS]: z.infer<(typeof ELEMENTS)[Name]> };
type Element = {
  [Name in keyof Elements]: { array: Name; place: string; value: Elements[Name] };
}[keyof Elements];

const ARRAYS = Object.keys(ELEMENTS) as (keyof Elements)[];

async function* elements(file: SourceFile): AsyncGenerator<Element> {
  let last = 'its beginning';
  const found = new Set<string>();
  try {
    for await (const element of jsonElements(sourcePieces(file), { arrays: ARRAYS, skip: SKIPPED })) {
      const array = element.array as keyof Elements;
      const place = `${array}[${element.index}]`;
      last = place;
      found.add(array);
      const { success, data, error } = ELEMENTS[array].safeParse(element.value);
      if (!success) {
        const [issue] = error.issues;
        throw invalidSource(file, `${place}: ${issue!.path.join('.')}: ${issue!.message}`);
      }
      yield { array, place, value: data } as Element;
    }
  } catch (error) {
    // The parser throws plain errors; everything else is a failure already.
    if (!(error instanceof Error) || error.constructor !== Error) throw error;
    throw invalidSource(file, `it cannot be read as JSON after ${last}: ${messageOf(error)}`, error);
  }
  const missing = ['images', 'categories'].find((array) => !found.has(array));
  if (missing !== undefined) throw invalidSource(file, `it has no ${missing}`);
}
