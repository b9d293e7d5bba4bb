import { readEvaluation } from '../../data/evaluation/metricsFile.ts';
import { GROUPS, SYSTEMS } from '../../data/evaluation/systems.ts';
import { readStageReceipts } from '../../data/retrain/stageReceipt.ts';
import { openStore } from '../../data/store/open.ts';
import { tableLines } from '../table.ts';

const FIGURES = ['mAP', 'F1@3', 'F1@5'];

const TITLES = { unseen: 'ZSL', all: 'GZSL', seen: 'seen' } as const;

/** Prints the figures of the candidate of a retraining's folder beside those of the baselines. */
export async function reportRetraining(folder: string): Promise<void> {
  const receipts = await readStageReceipts(openStore(folder));
  const evaluation = receipts.find(({ stage }) => stage === 'evaluate')?.artifact;
  if (evaluation === undefined || evaluation === null) return;
  const { systems, images } = await readEvaluation(openStore(evaluation));
  const rows = SYSTEMS.flatMap((system) => {
    const groups = systems[system]?.groups;
    if (!groups) return [];
    const cells = GROUPS.flatMap((group) =>
      FIGURES.map((name) => groups[group]?.figures[name]?.value.toFixed(2) ?? '-'),
    );
    return [[system, ...cells]];
  });
  const header = GROUPS.flatMap((group) => FIGURES.map((name) => `${TITLES[group]} ${name}`));
  console.log(`\nFigures on ${images} scenes that were not trained on, in percent:\n`);
  for (const line of tableLines(['', ...header], rows)) console.log(line);
  console.log(`\nWith intervals: ${evaluation}/report.md`);
  const tagged = receipts.find(({ stage }) => stage === 'tag')?.artifact;
  if (tagged !== undefined && tagged !== null) console.log(`Tags:           ${tagged}/tags/`);
}
