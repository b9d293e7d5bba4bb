#!/usr/bin/env node
// Starts the command: the compiled one of an installed package, else the sources of a clone. Where the running Node is
// too old and the clone has a newer one among its development dependencies, that one takes over.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const compiled = here('../dist/cli/main.js');
const sources = here('./main.ts');
const packaged = here('.').includes('node_modules') && existsSync(compiled);
const entry = packaged ? compiled : sources;

const [major, minor] = process.versions.node.split('.').map(Number);
const runsEntry = packaged ? major > 22 || (major === 22 && minor >= 12) : major >= 24;
if (runsEntry) {
  await import(entry);
} else {
  const newer = here('../node_modules/.bin/node');
  if (!existsSync(newer)) {
    console.error(
      `c2srt needs Node ${packaged ? '22.12' : '24'} or newer; this is ${process.versions.node}.`,
    );
    process.exit(2);
  }
  const child = spawn(newer, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both; a signal sent to this process alone is passed on.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
}
