import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser that tests of pages run in; undefined where none is installed. */
export const chromiumProgram = PROGRAMS.find((path) => existsSync(path));

/** Starts it; the tests' user may be root, who has no sandbox. */
export function startChromium(): Promise<Browser> {
  if (chromiumProgram === undefined) throw new Error(`No browser is at ${PROGRAMS.join(', ')}.`);
  return chromium.launch({ executablePath: chromiumProgram, args: ['--no-sandbox'] });
}
