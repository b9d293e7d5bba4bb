import { isSeen, type Category } from '../../data/categories.ts';
import type { TrainRecord } from '../../data/run/record.ts';
import type { TrainCourse } from '../../data/training/trainCourse.ts';
import { describeFailed, type FailedImages } from '../../data/training/failedImages.ts';
import type { TrainResult, Validation } from '../../workflows/train/trainTypes.ts';

/** The `MODEL_CARD.md` of a trained model: what it is, where it came from, and what it scored. */
export function modelCard(
  { id, kind, spec }: TrainRecord,
  result: TrainResult,
  unread: TrainCourse['unread'],
  categories: readonly Category[],
): string {
  const seen = categories.filter(isSeen).length;
  const title = kind === 'train' ? 'C²SRT model' : 'CLIP model, pre-trained with C²SRT';
  const lines = [
    `# ${title}`,
    '',
    kind === 'train'
      ? `An open-vocabulary multi-label tagger, trained by \`c2srt train\` on ${seen} categories. Its anchored form of IST is c2srt's own; the residual and plain forms follow the C²SRT paper (arXiv 2412.06190).`
      : 'A CLIP checkpoint, trained by `c2srt pretrain` from images and captions.',
    '',
    '| | |',
    '|---|---|',
    `| run | ${id} |`,
    `| started from | ${spec.model} |`,
    `| data | ${spec.data} |`,
    `| held back | ${spec.validation ?? 'a share of the data'} |`,
    `| images trained on, epochs included | ${result.images} |`,
    ...unreadRow('could not be read among them', unread.training),
    ...unreadRow('could not be read among those held back', unread.validation),
    `| rounds | ${result.rounds}${result.stoppedEarly ? ', stopped early' : ''}; the model is that of round ${result.bestRound} |`,
    '',
    ...(result.start && result.best ? validationTable(result.start, result.best) : []),
    '## Settings',
    '',
    '```json',
    JSON.stringify(spec.settings, null, 2),
    '```',
    '',
  ];
  return lines.join('\n');
}

const unreadRow = (title: string, { byCode }: FailedImages): string[] =>
  Object.keys(byCode).length === 0
    ? []
    : [`| ${title} | ${describeFailed(byCode)}; metrics.json names some |`];

function validationTable(start: Validation, best: Validation): string[] {
  const rows = Object.entries(best.metrics).flatMap(([group, figures]) =>
    Object.entries(figures).map(([name, value]) => {
      const before = start.metrics[group]?.[name];
      return `| ${group} | ${name} | ${before === undefined ? '' : before.toFixed(2)} | ${value.toFixed(2)} |`;
    }),
  );
  return [
    `## On ${best.images} images held back`,
    '',
    '| categories | figure | before | after |',
    '|---|---|---|---|',
    ...rows,
    '',
  ];
}
