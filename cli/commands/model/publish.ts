import type { Command } from 'commander';
import { PRODUCTION } from '../../../data/models/modelPlaces.ts';
import { publishModel } from '../../../data/models/publish.ts';
import { canonicalUri, openStore } from '../../../data/store/open.ts';
import { probeConditionalPuts } from '../../../data/store/probe.ts';
import { modelUri, prefetchModel } from '../../models.ts';

interface PublishFlags {
  to: string;
  evaluation?: string;
  alias: string;
  reason: string;
  json?: boolean;
}

export function publishCommand(model: Command, finish: (code: number) => void): void {
  model
    .command('publish')
    .description('Publish a model: copy it to a version of its own, and have an alias name that.')
    .argument('<model>', "the model's folder, as that of a finished training")
    .requiredOption('--to <uri>', 'the folder of all versions, as s3://bucket/models/scenes')
    .option('--evaluation <uri>', 'folder whose calibration.json and metrics.json to take')
    .option('--alias <name>', 'alias that names the model from here on', PRODUCTION)
    .option('--reason <text>', 'why; kept with the alias', 'published by hand')
    .option('--json', 'print JSON')
    .action(async (source: string, flags: PublishFlags) => {
      const uri = await modelUri(source);
      await prefetchModel(uri, flags.json ?? false);
      const models = canonicalUri(flags.to);
      await probeConditionalPuts(openStore(models));
      const published = await publishModel({
        openStore,
        model: uri,
        evaluation: flags.evaluation ?? null,
        models,
        alias: flags.alias,
        expected: undefined,
        by: 'publish',
        reason: flags.reason,
      });
      if (flags.json) console.log(JSON.stringify(published));
      else {
        const { previous } = published.alias;
        console.log(
          published.moved
            ? `${flags.alias} is ${published.model} now; before, ${previous ?? 'there was none'}.`
            : `${flags.alias} is ${published.model} already.`,
        );
        console.log(`Use it with --model ${models}${flags.alias === PRODUCTION ? '' : `@${flags.alias}`}`);
      }
      finish(0);
    });
}
