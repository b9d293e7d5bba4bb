/**
 * A command that uses the local server, for the tests to start, watch and kill: `node temporalClient.ts DIR`. Prints one
 * JSON line once attached, leaves when its standard input ends, then exits with 0.
 */
import { startOrAttachTemporal } from '../../infra/temporal.ts';

const temporal = await startOrAttachTemporal({ dir: process.argv[2]! });
process.stdout.write(
  `${JSON.stringify({ address: temporal.address, pid: temporal.pid, owned: temporal.owned })}\n`,
);
process.stdin.resume();
await new Promise((ended) => process.stdin.once('end', ended));
await temporal.stop();
process.exit(0);
