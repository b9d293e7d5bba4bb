/** `npm run docs`: writes the pages that are made from the code. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './docs/configurationPage.ts';

const file = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));
writeFileSync(file, configurationPage());
console.log(`wrote ${file}`);
