/** The queries of docs/cookbook.md, read out of the page, on the output of real runs. */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { duckDbPackage } from '../../cli/query/duckDb.ts';
import { plainValues, type PlainValue } from '../../cli/query/plainValue.ts';
import { withTables } from '../../cli/query/runTables.ts';
import { openStore } from '../../data/store/open.ts';
import { runCli } from '../support/cli.ts';
import { readRows, type Row } from '../support/runs/runRows.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const ASSETS = resolve('assets/demo');
const SCENES = 60;

interface Image {
  source: string;
  key: string;
  width: number;
  height: number;
  run: string;
  tags: { vocabulary: string; label: string; score: number; raw_score: number }[];
}

let place: Workplace;
/** What the two runs have come to, read without DuckDB; and the last run's own rows. */
let images: Image[];
let failures: Row[];
let last: Record<'tags' | 'failures', Row[]>;

beforeAll(async () => {
  place = await makeWorkplace();
  const { scenes, words } = await assets();
  await writeFile(place.path('things.txt'), words.join('\n'));
  await writeFile(place.path('drinks.txt'), 'drink\nbeer\n');
  for (const folder of ['images/even', 'images/odd', 'images/none', 'scans/even'])
    await mkdir(place.path(folder), { recursive: true });
  const put = (scene: string, i: number): Promise<void> =>
    copyFile(resolve(ASSETS, 'scenes', scene), place.path('images', i % 2 ? 'odd' : 'even', scene));
  await Promise.all(scenes.slice(0, SCENES).map(put));
  await writeFile(place.path('images/odd/empty.jpg'), '');
  await writeFile(place.path('images/none/notes.txt'), 'no image');
  const full = await tagged('full', ['images']);
  await rm(place.path('images/even', scenes[0]!));
  await Promise.all(scenes.slice(SCENES, SCENES + 6).map(put));
  await writeFile(place.path('images/none/more.txt'), 'no image either');
  // A second source has keys that the first one has too, or had, of other scenes.
  for (const i of [0, 2, 4, 6])
    await copyFile(resolve(ASSETS, 'scenes', scenes[SCENES + i]!), place.path('scans/even', scenes[i]!));
  last = await tagged('later', ['images', 'scans'], '--since', 'full');

  const rows = [...full.tags.filter(({ key }) => key !== `even/${scenes[0]!}`), ...last.tags];
  images = (rows as unknown as Image[]).sort(byName);
  failures = [...full.failures, ...last.failures];
}, 240_000);
afterAll(() => place.clear());

async function assets(): Promise<{ scenes: string[]; words: string[] }> {
  const categories = JSON.parse(await readFile(resolve(ASSETS, 'categories.json'), 'utf8')) as {
    name: string;
  }[];
  const scenes = (await readdir(resolve(ASSETS, 'scenes'))).filter((name) => name.endsWith('.jpg')).sort();
  return { scenes, words: categories.map(({ name }) => name) };
}

async function tagged(
  out: string,
  sources: string[],
  ...flags: string[]
): Promise<Record<'tags' | 'failures', Row[]>> {
  const limits = ['--top-k', '5', '--threshold', '0.56', '--shard-size', '25', '--max-failure-rate', '1'];
  const result = await runCli(
    [
      'tag',
      ...sources,
      ...['--categories', 'things.txt', '--categories', 'drinks.txt'],
      ...['--model', resolve(ASSETS, 'model')],
      ...limits,
    ].concat(['--out', out, '--json', ...flags]),
    { cwd: place.dir },
  );
  expect(result.code, result.stderr).toBe(3);
  return readRows(openStore(place.path(out)));
}

const page = await readFile('docs/cookbook.md', 'utf8');
const recipes = new Map(
  [...page.matchAll(/^## (.*)\n[^]*?```sql\n([^]*?)```/gm)].map(([, title, sql]) => [title!, sql!]),
);

/** The rows of a recipe's query; its files are written to the workplace. */
async function rowsOf(title: string): Promise<Record<string, PlainValue>[]> {
  const sql = recipes.get(title)!.replaceAll(/\) TO '/g, `) TO '${place.dir}/`);
  const plain = plainValues(await duckDbPackage());
  return withTables(openStore(place.path('later')), { withChain: true }, async (connection) => {
    const rows = (await connection.runAndReadAll(sql)).getRowObjects();
    return rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])),
    );
  });
}

const labelsOf = ({ tags }: Image): string[] => tags.map(({ label }) => label);
const allTags = (): (Name & Image['tags'][number])[] =>
  images.flatMap(({ source, key, tags }) => tags.map((tag) => ({ source, key, ...tag })));
type Name = Pick<Image, 'source' | 'key'>;
const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: Name, b: Name): number => byCodePoint(a.source, b.source) || byCodePoint(a.key, b.key);
type Label = Pick<Image['tags'][number], 'vocabulary' | 'label'>;
const labelId = ({ vocabulary, label }: Label): string => `${vocabulary}\n${label}`;
const labelOf = ([first]: readonly Label[]): Label => ({
  vocabulary: first!.vocabulary,
  label: first!.label,
});
const byLabel = (a: Label, b: Label): number =>
  byCodePoint(a.vocabulary, b.vocabulary) || byCodePoint(a.label, b.label);
const uriOf = ({ source, key }: Name): string => `${source}/${key}`;

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf);
}

/** What each recipe must give, made of the rows by other means. */
const expected: Record<string, () => unknown> = {
  'Images with one tag and not another': () =>
    images
      .filter((image) => labelsOf(image).includes('drink') && !labelsOf(image).includes('beer'))
      .map(({ source, key }) => ({ source, key })),
  'Label counts': () =>
    [...groups(allTags(), labelId)]
      .map(([, tags]) => ({
        ...labelOf(tags),
        images: tags.length,
        mean_score: expect.closeTo(
          tags.reduce((sum, { score }) => sum + score, 0) / tags.length,
          6,
        ) as number,
      }))
      .sort((a, b) => b.images - a.images || byLabel(a, b)),
  'Tags of one vocabulary': () =>
    images
      .map(({ source, key, tags }) => ({
        ...{ source, key },
        drinks: tags.filter(({ vocabulary }) => vocabulary === 'drinks').map(({ label }) => label),
      }))
      .filter(({ drinks }) => drinks.length > 0),
  'Raw scores': () =>
    [...groups(allTags(), labelId)]
      .map(([, tags]) => ({
        ...labelOf(tags),
        mean: tags.reduce((sum, { score }) => sum + score, 0) / tags.length,
      }))
      .sort((a, b) => b.mean - a.mean || byLabel(a, b))
      .map(({ mean, ...of }) => ({ ...of, mean_cosine: expect.closeTo(mean, 6) as number })),
  'Tags joined with failures': () => [
    {
      source: openStore(place.path('images')).uri,
      folder: 'none/',
      tagged: 0,
      failed: 1,
      codes: ['Image.Unsupported'],
    },
    ...[
      ...groups(
        last.tags as unknown as Image[],
        ({ source, key }) => `${source}\n${key.replace(/[^/]*$/, '')}`,
      ),
    ]
      .sort(([a], [b]) => byCodePoint(a, b))
      .map(([name, rows]) => {
        const [source, folder] = name.split('\n');
        return { source, folder, tagged: rows.length, failed: 0, codes: null };
      }),
  ],
  "Histogram of a label's scores": () =>
    [
      ...groups(
        allTags().filter(({ label }) => label === 'drink'),
        ({ score }) => String(Math.floor(score * 50) / 50),
      ),
    ]
      .map(([from, tags]) => ({ score_from: Number(from), images: tags.length }))
      .sort((a, b) => a.score_from - b.score_from),
  'Top images of each label': () =>
    [...groups(allTags(), labelId)]
      .sort(([, [a]], [, [b]]) => byLabel(a!, b!))
      .flatMap(([, tags]) =>
        tags
          .sort((a, b) => b.score - a.score || byName(a, b))
          .slice(0, 3)
          .map(({ source, key, score }) => ({ ...labelOf(tags), source, key, score })),
      ),
  'Labels that occur together': () => {
    const labels = images.map((image) => [...new Set(labelsOf(image))]);
    const counts = groups(labels.flat(), (label) => label);
    const pairs = labels.flatMap((all) =>
      all.flatMap((a) => all.flatMap((b) => (a < b ? [`${a}\n${b}`] : []))),
    );
    return [...groups(pairs, (pair) => pair)]
      .map(([pair, { length }]) => {
        const [label, other] = pair.split('\n') as [string, string];
        const rarer = Math.min(counts.get(label)!.length, counts.get(other)!.length);
        return { label, other, images: length, share: length / rarer };
      })
      .sort((a, b) => b.images - a.images || byCodePoint(a.label, b.label) || byCodePoint(a.other, b.other));
  },
  'Images without tags': () =>
    images
      .filter(({ tags }) => tags.length === 0)
      .map(({ source, key, width, height }) => ({ source, key, width, height })),
  'New since the last run': () =>
    [
      ...(last.tags as unknown as Image[]).map((row) => ({
        source: row.source,
        key: row.key,
        labels: labelsOf(row),
        code: null,
      })),
      ...last.failures.map(({ source, key, code }) => ({
        source: source as string,
        key,
        labels: null,
        code,
      })),
    ].sort(byName),
};

test.each(Object.keys(expected))('%s', async (title) => {
  const rows = await rowsOf(title);
  expect(rows).toEqual(expected[title]!());
  expect(rows.length).toBeGreaterThan(0);
});

const exported = (name: string): Promise<string> => readFile(place.path(name), 'utf8');

test('Export to CSV', async () => {
  await rowsOf('Export to CSV');
  const [header, ...lines] = (await exported('tags.csv')).trim().split('\n');
  expect(header).toBe('source,key,vocabulary,label,score');
  expect(lines.map((line) => line.split(',').slice(0, 4))).toEqual(
    images.flatMap(({ source, key, tags }) =>
      tags.map(({ vocabulary, label }) => [source, key, vocabulary, label]),
    ),
  );
});

test('Export to COCO', async () => {
  await rowsOf('Export to COCO');
  const coco = JSON.parse(await exported('coco.json')) as {
    images: { id: number; file_name: string; coco_url: string; width: number }[];
    annotations: { id: number; image_id: number; category_id: number; score: number }[];
    categories: { id: number; name: string; supercategory: string }[];
  };
  expect(coco.images.map(({ file_name: file, coco_url: uri, width }) => [file, uri, width])).toEqual(
    images.map((image) => [image.key, uriOf(image), image.width]),
  );
  const name = new Map(
    coco.categories.map((category) => [category.id, `${category.supercategory} ${category.name}`]),
  );
  const uris = new Map(coco.images.map((image) => [image.id, image.coco_url]));
  const pairs = coco.annotations.map((of) => `${uris.get(of.image_id)!} ${name.get(of.category_id)!}`);
  expect(pairs.sort()).toEqual(
    allTags()
      .map((of) => `${uriOf(of)} ${of.vocabulary} ${of.label}`)
      .sort(),
  );
  expect(new Set(coco.annotations.map(({ id }) => id)).size).toBe(coco.annotations.length);
});

test('Export to Label Studio', async () => {
  await rowsOf('Export to Label Studio');
  const tasks = JSON.parse(await exported('label-studio.json')) as {
    data: { image: string };
    predictions: { result: { value: { choices: string[] } }[] }[];
  }[];
  expect(
    tasks.map(({ data, predictions }) => [data.image, predictions[0]!.result[0]!.value.choices]),
  ).toEqual(images.map((image) => [uriOf(image), labelsOf(image)]));
});

test('every recipe of the page is tested, and the runs have failures and images without tags', () => {
  const exports = ['Export to CSV', 'Export to COCO', 'Export to Label Studio'];
  expect([...recipes.keys()].sort()).toEqual([...Object.keys(expected), ...exports].sort());
  expect(failures).toHaveLength(3);
});
