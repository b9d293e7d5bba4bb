import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSeen, parseCategories, vocabularyHash, type Category } from '../../data/categories.ts';

const category = (name: string, more: Partial<Category> = {}): Category => ({
  name,
  aliases: [],
  prompts: [],
  ...more,
});

const failure = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

/** What `parseCategories` reports about unknown fields. */
function notices(text: string, fileName: string): string[] {
  const all: string[] = [];
  parseCategories(text, fileName, (notice) => all.push(notice));
  return all;
}

describe('a text file', () => {
  it('has a name per line; blank lines and comments are skipped', () => {
    const text = '# animals\n\ndog\n  sea lion \n\t\n  # more\nC# manual\n';
    expect(parseCategories(text, 'c.txt')).toEqual([
      category('dog'),
      category('sea lion'),
      category('C# manual'),
    ]);
  });

  it.each([
    ['LF', 'dog\ncat\n'],
    ['CRLF', 'dog\r\ncat\r\n'],
    ['CR', 'dog\rcat'],
    ['a byte order mark', '\ufeffdog\ncat'],
  ])('may have %s', (_, text) => {
    const expected = [category('dog'), category('cat')];
    expect(parseCategories(text, 'names')).toEqual(expected);
    expect(parseCategories(new TextEncoder().encode(text), 'names')).toEqual(expected);
  });

  it('keeps case and commas', () => {
    expect(parseCategories('Turkey\nturkey\nsalt, pepper', 'c.txt').map(({ name }) => name)).toEqual([
      'Turkey',
      'turkey',
      'salt, pepper',
    ]);
  });
});

describe('a JSON file', () => {
  it('has names or objects, whose other fields are ignored and reported once', () => {
    const text = JSON.stringify([
      'dog',
      { name: ' cat ', aliases: ['kitty', 'kitty', 'cat'], prompts: ['a {}.'], threshold: 0.25, kind: 'x' },
      { name: 'wolf', kind: 'y', split: 'seen', aka: 'lupus' },
      { name: 'fox', split: 'unseen' },
    ]);
    expect(parseCategories(text, 'c.json')).toEqual([
      category('dog'),
      category('cat', { aliases: ['kitty'], prompts: ['a {}.'], threshold: 0.25 }),
      category('wolf', { split: 'seen' }),
      category('fox', { split: 'unseen' }),
    ]);
    expect(notices(text, 'c.json')).toEqual([
      'c.json: ignoring the fields "kind", "aka"; known: name, aliases, prompts, threshold, split.',
    ]);
  });

  it.each([
    ['{"name": "dog"}', /c\.json: not a JSON array/],
    ['["dog", 5]', /entry 2 is neither a name nor an object/],
    ['["dog", null]', /entry 2 is neither/],
    ['[{"nmae": "dog"}]', /entry 1: name: /],
    ['[{"name": "dog", "aliases": "hound"}]', /entry 1: aliases: /],
    ['[{"name": "dog", "prompts": ["a", 3]}]', /entry 1: prompts\.1: /],
    ['[{"name": "dog", "split": "train"}]', /entry 1: split: /],
    ['["dog",]', /not valid JSON/],
  ])('is refused as %s', (text, message) => {
    expect(() => parseCategories(text, 'c.json')).toThrow(failure('Categories.Invalid', message));
  });
});

describe('a CSV file', () => {
  it('has a header, in any order of columns, with lists separated by |', () => {
    const text =
      'threshold,name,aliases,prompts\r\n0.5,dog,hound|puppy,"a {}, sitting|the {}"\r\n\r\n,"salt, pepper",,\r\n1,cat\r\n';
    expect(parseCategories(text, 'c.CSV')).toEqual([
      category('dog', { aliases: ['hound', 'puppy'], prompts: ['a {}, sitting', 'the {}'], threshold: 0.5 }),
      category('salt, pepper'),
      category('cat', { threshold: 1 }),
    ]);
  });

  it('has a split, which may be left empty', () => {
    const text = 'name,split\ndog, unseen \ncat,seen\nfox,\n';
    expect(parseCategories(text, 'c.csv')).toEqual([
      category('dog', { split: 'unseen' }),
      category('cat', { split: 'seen' }),
      category('fox'),
    ]);
    expect(parseCategories(text, 'c.csv').map(isSeen)).toEqual([false, true, true]);
  });

  it('reports columns it does not know', () => {
    expect(notices('name,Threshold\ndog,1\n', 'c.csv')).toEqual([
      'c.csv: ignoring the column "Threshold"; known: name, aliases, prompts, threshold, split.',
    ]);
  });

  it.each([
    ['dog\ncat\n', /not a header with a column "name" \(it reads: dog\)/],
    ['name,name\ndog,cat\n', /two columns "name"/],
    ['name\ndog,cat\n', /line 2 has 2 cells, the header 1/],
    ['name,threshold\ndog,high\n', /line 2: the threshold "high" is not a number/],
    ['name,split\ndog,Unseen\n', /line 2: the split "Unseen" is neither seen nor unseen/],
    ['name\n"dog\n', /Quote Not Closed/],
  ])('is refused as %j', (text, message) => {
    expect(() => parseCategories(text, 'c.csv')).toThrow(failure('Categories.Invalid', message));
  });
});

describe('every file', () => {
  it.each([
    ['c.txt', 'dog\n\n dog \n', /c\.txt names "dog" twice: line 1 and line 3/],
    ['c.txt', 'caf\u00e9\ncafe\u0301\n', /"caf\u00e9" twice: line 1 and line 2/],
    ['c.json', '["dog", {"name": "cat"}, {"name": "dog"}]', /twice: entry 1 and entry 3/],
    ['c.csv', 'name\ndog\n\ncat\ndog\n', /twice: line 2 and line 5/],
  ])('names a category once: %s %j', (name, text, message) => {
    expect(() => parseCategories(text, name)).toThrow(failure('Categories.Duplicate', message));
  });

  it.each([
    ['c.txt', ''],
    ['c.txt', '\n# nothing\n'],
    ['c.json', ''],
    ['c.json', '[]'],
    ['c.json', '["dog", " "]'],
    ['c.json', '[{"name": "dog", "prompts": [" "]}]'],
    ['c.csv', ''],
    ['c.csv', 'name\n'],
    ['c.csv', 'name,aliases\n ,hound\n'],
  ])('holds categories: %s %j', (name, text) => {
    expect(() => parseCategories(text, name)).toThrow(failure('Categories.Empty', /./));
  });

  it.each(['0', '1', '0.0', '1e-3'])('takes the threshold %s', (threshold) => {
    const [read] = parseCategories(`name,threshold\ndog,${threshold}`, 'c.csv');
    expect(read!.threshold).toBe(Number(threshold));
  });

  it.each(['-0.1', '1.0001', 'Infinity'])('refuses the threshold %s', (threshold) => {
    const invalid = failure('Categories.Invalid', /line 2: the threshold .* not between 0 and 1/) as Error;
    expect(() => parseCategories(`name,threshold\ndog,${threshold}`, 'c.csv')).toThrow(invalid);
  });

  it('refuses control characters, as a table taken for text has them', () => {
    const invalid = failure('Categories.Invalid', /line 2: the name "cat\\tanimal" holds a control/) as Error;
    expect(() => parseCategories('dog\ncat\tanimal', 'c.txt')).toThrow(invalid);
  });

  it('names the line that is not UTF-8', () => {
    const bytes = Buffer.concat([
      Buffer.from('dog\nnaïve\n'),
      Buffer.from([0x63, 0xe9, 0x0a]),
      Buffer.from('x'),
    ]);
    const invalid = failure('Categories.Encoding', /c\.txt, line 3: not valid UTF-8/) as Error;
    expect(() => parseCategories(bytes, 'c.txt')).toThrow(invalid);
    const cut = Buffer.from('dog\ncaf\u00e9').subarray(0, -1);
    expect(() => parseCategories(cut, 'c.txt')).toThrow(failure('Categories.Encoding', /line 2/));
  });
});

const names = fc.uniqueArray(
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .map((name) => name.normalize('NFC').trim())
    .filter((name) => name !== '' && !/^#|\p{Cc}|\ufeff/u.test(name)),
  { minLength: 1, maxLength: 20 },
);

it('reads the same categories from all three forms', () => {
  fc.assert(
    fc.property(names, (list) => {
      const expected = list.map((name) => category(name));
      const csv = ['name', ...list.map((name) => `"${name.replaceAll('"', '""')}"`)].join('\n');
      expect(parseCategories(list.join('\n'), 'c.txt')).toEqual(expected);
      expect(parseCategories(JSON.stringify(list), 'c.json')).toEqual(expected);
      expect(parseCategories(csv, 'c.csv')).toEqual(expected);
    }),
  );
});

describe('vocabularyHash', () => {
  it('is that of the content, not of the form', () => {
    const text = vocabularyHash(parseCategories('dog\ncat', 'c.txt'));
    expect(vocabularyHash(parseCategories('["dog", {"name": "cat", "kind": "animal"}]', 'c.json'))).toBe(
      text,
    );
    expect(text).toMatch(/^[0-9a-f]{64}$/);
  });

  it('stays what it was where there is no split, and where it says seen', () => {
    const recorded = 'cbe54d97';
    for (const text of ['dog\ncat', '[{"name": "dog", "split": "seen"}, "cat"]']) {
      const categories = parseCategories(text, text.startsWith('[') ? 'c.json' : 'c.txt');
      expect(vocabularyHash(categories).slice(0, 8)).toBe(recorded);
    }
  });

  it('changes with a name, an alias, a prompt, a threshold, a split and the order', () => {
    const vocabularies = [
      [category('dog'), category('cat')],
      [category('cat'), category('dog')],
      [category('dog'), category('cats')],
      [category('dog'), category('cat', { aliases: ['kitty'] })],
      [category('dog'), category('cat', { prompts: ['kitty'] })],
      [category('dog'), category('cat', { threshold: 0 })],
      [category('dog'), category('cat', { split: 'unseen' })],
      [category('dog')],
    ];
    expect(new Set(vocabularies.map(vocabularyHash)).size).toBe(vocabularies.length);
  });
});
