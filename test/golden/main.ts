/** `npm run golden -- DIR [--provider cpu|webgpu|cuda]`: checks the model against a folder of golden files. */
import { parseArgs } from 'node:util';
import { isFailure, messageOf } from '../../data/failure.ts';
import { PROVIDERS } from '../../model/onnx/session.ts';
import { checkGolden } from './check.ts';
import { agrees } from './compare.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { provider: { type: 'string', default: 'cpu' } } });
const provider = PROVIDERS.find((name) => name === values.provider);
if (positionals.length === 0 || !provider) {
  console.error(`usage: npm run golden -- DIR... [-- --provider ${PROVIDERS.join('|')}]`);
  process.exit(2);
}

let disagreements = 0;
for (const dir of positionals) {
  console.log(`${dir} (${provider})`);
  try {
    const { comparisons, unchecked } = await checkGolden(dir, { provider });
    const width = Math.max(...comparisons.map(({ name }) => name.length));
    for (const comparison of comparisons) {
      const { name, error, limit, leftOut = 0, problem } = comparison;
      const mark = agrees(comparison) ? 'ok  ' : 'FAIL';
      const notes = [problem, leftOut > 0 ? `${(100 * leftOut).toFixed(2)} % too close to flipping, left out` : undefined];
      const figures = `largest error ${error.toExponential(2)}  limit ${limit.toExponential(0)}`;
      console.log([`  ${mark} ${name.padEnd(width)}  ${figures}`, ...notes.filter((note) => note !== undefined)].join('  '));
      if (!agrees(comparison)) disagreements++;
    }
    if (unchecked.length > 0) console.log(`  not checked: ${unchecked.join(', ')}`);
  } catch (error) {
    disagreements++;
    const hint = isFailure(error) && error.hint !== undefined ? ` ${error.hint}` : '';
    console.log(`  FAIL ${messageOf(error)}${hint}`);
  }
}
console.log(disagreements === 0 ? 'all agree' : `${disagreements} disagree`);
process.exitCode = disagreements === 0 ? 0 : 1;
