import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configurationPage } from '../../cli/docs/configurationPage.ts';
import { IMAGE_CODES } from '../../data/images/codes.ts';

const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md')];

test('docs/configuration.md is what `npm run docs` makes', () => {
  expect(readFileSync('docs/configuration.md', 'utf8')).toBe(configurationPage());
});

test.each(Object.entries(IMAGE_CODES))('docs/run-folder.md says what %s means', (code) => {
  expect(readFileSync('docs/run-folder.md', 'utf8')).toContain(`\`${code}\``);
});

describe('names in the pages exist', () => {
  test.each(pages)('%s', (page) => {
    const text = readFileSync(page, 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to]) => join(dirname(page), to!));
    const files = [
      ...text.matchAll(
        /`((?:activities|bench|cli|data|docs|infra|model|test|workers|workflows)\/[\w./-]+)`/g,
      ),
    ].map(([, file]) => file!);
    const scripts = [...text.matchAll(/npm run ([a-z]+)/g)].map(([, script]) => script!);
    const { scripts: known } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
    expect([...links, ...files].filter((path) => !existsSync(path))).toEqual([]);
    expect(scripts.filter((script) => !(script in known))).toEqual([]);
  });
});

test('what the code says is in the documentation is there', () => {
  const sources = globSync('{activities,cli,data,infra,model,workers,workflows}/**/*.ts');
  const named = sources.flatMap((source) =>
    [...readFileSync(source, 'utf8').matchAll(/docs\/[\w/-]+\.md/g)].map(([page]) => page),
  );
  expect(named.length).toBeGreaterThan(0);
  expect([...new Set(named)].filter((page) => !existsSync(page))).toEqual([]);
});
