/** `npm run demo`: tags the bundled scenes with the bundled model, the way any bucket is tagged, and checks the rows. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFailure } from '../data/failure.ts';
import { DEMO, readDemoCategories } from './demo/assets.ts';
import { finishedRun, openDemoPlace } from './demo/place.ts';
import { reportRun } from './demo/report.ts';
import { describeError, EXIT, exitCodeOf } from './exit.ts';
import { tag } from './commands/tag.ts';

const ROOT = 'demo-out';
const START_OVER = `To start over: npm run demo -- --fresh (or delete ${ROOT}/).`;

// While the run is followed Ctrl-C is the tag command's; before and after it nothing is lost by ending at once.
let tagging = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    if (!tagging) process.exit(EXIT.interrupted);
  });

try {
  const unknown = process.argv.slice(2).find((argument) => argument !== '--fresh');
  if (unknown === undefined) process.exitCode = await demo();
  else {
    console.error(`The demo knows no ${unknown}, only --fresh: start over.`);
    process.exitCode = EXIT.usage;
  }
} catch (error) {
  console.error(describeError(error));
  if (isFailure(error, 'Run.')) console.error(START_OVER);
  process.exitCode = exitCodeOf(error);
}

async function demo(): Promise<number> {
  if (process.argv.includes('--fresh')) await rm(ROOT, { recursive: true, force: true });
  const finished = finishedRun(ROOT);
  if (finished !== undefined) {
    console.log(`The demo has run already; this is what it left in ${finished}. ${START_OVER}`);
    return (await reportRun(finished)) ? EXIT.ok : EXIT.failed;
  }
  await mkdir(ROOT, { recursive: true });
  // The demo is to work on its own: whatever server the shell's environment names is for other runs.
  for (const name of Object.keys(process.env))
    if (name.startsWith('TEMPORAL_')) Reflect.deleteProperty(process.env, name);
  const place = await openDemoPlace(ROOT);
  try {
    return await tagScenes(place);
  } finally {
    await place.stop();
  }
}

async function tagScenes({
  source,
  out,
  folder,
}: Awaited<ReturnType<typeof openDemoPlace>>): Promise<number> {
  const names = readDemoCategories().map(({ name }) => name);
  const categories = join(ROOT, 'categories.txt');
  await writeFile(categories, `${names.join('\n')}\n`);
  console.log(
    `c2srt tag ${source} --categories ${categories} --out ${out} --model assets/demo/model --top-k ${names.length}`,
  );
  const flags = {
    categories: [categories],
    out,
    model: DEMO.model,
    topK: [String(names.length)],
    shardSize: '200',
    stateDir: join(ROOT, 'temporal'),
  };
  tagging = true;
  const code = await tag([source], flags);
  tagging = false;
  if (code === EXIT.interrupted) console.error('`npm run demo` goes on from there.');
  if (code !== EXIT.ok) return code;
  const agrees = await reportRun(folder);
  console.log(`\nThe run's files are in ${folder}/: tags/*.parquet, failures/*.parquet, _manifest.json.`);
  console.log('Ask any Parquet reader, as DuckDB:');
  console.log(
    `  SELECT t.label, count(*) FROM (SELECT unnest(tags[1:5]) AS t FROM '${folder}/tags/*.parquet') GROUP BY 1 ORDER BY 2 DESC;`,
  );
  return agrees ? EXIT.ok : EXIT.failed;
}
