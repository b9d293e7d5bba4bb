/** Pages of reports in a real browser, from the disk. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export interface OpenPage {
  page: Page;
  /** What must stay empty: messages, errors, dialogs, requests. */
  said: string[];
}

export async function openPage(browser: Browser, file: string, width = 1280): Promise<OpenPage> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, reducedMotion: 'reduce' });
  const said: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  page.on('dialog', async (dialog) => {
    said.push(`dialog ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on('request', (request) => {
    const asked = request.url();
    if (asked.split('#')[0] !== url && !asked.startsWith('data:')) said.push(asked);
  });
  await page.goto(url);
  await page.locator('main section').first().waitFor();
  return { page, said };
}

/** That a page is usable, light and dark: no rule of axe is broken, and it fits its window. */
export async function expectUsable(page: Page): Promise<void> {
  const { width } = page.viewportSize()!;
  await page.evaluate(await readFile(AXE, 'utf8'));
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    const found = await page.evaluate<string[]>(`axe.run(document).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')))`);
    expect(found, colorScheme).toEqual([]);
  }
}
