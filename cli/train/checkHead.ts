import type { TrainSettings } from '../../data/config/trainSchema.ts';
import { Failure } from '../../data/failure.ts';
import type { ModelFolder } from '../../model/modelFolder.ts';

/**
 * Throws where a model cannot be trained with these settings: `Usage.Heads` (attention heads that do not divide the
 * joint dimension), `Usage.Blocks` (more trained blocks than it has), or `Usage.HeadDiffers` (it has a trained head of
 * another form or size: a head is trained further as it is, never replaced).
 */
export function refuseUntrainable(
  { config, head }: Pick<ModelFolder, 'config' | 'head'>,
  model: string,
  settings: TrainSettings,
): void {
  const joint = config.projection_dim;
  const blocks = config.vision_config.num_hidden_layers;
  if (settings.ist && joint % settings.heads !== 0)
    throw new Failure(
      'Usage.Heads',
      `train.heads is ${settings.heads}, which does not divide the joint dimension ${joint} of ${model}.`,
      { subject: model, hint: 'Set heads in the train section of c2srt.yaml to a divisor.' },
    );
  if (settings.trainedBlocks > blocks)
    throw new Failure(
      'Usage.Blocks',
      `train.trainedBlocks is ${settings.trainedBlocks}, but the vision encoder of ${model} has ${blocks} blocks.`,
      { subject: model, hint: `Give --trained-blocks 0 to ${blocks}.` },
    );
  if (!head) return;
  const shown = (values: Record<string, unknown>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(', ');
  const { form } = config.c2srt;
  const existing = shown({
    form,
    ist: head.layers > 0,
    ...(head.layers > 0 && { layers: head.layers, heads: head.heads }),
    ...(head.hidden !== undefined && { hidden: head.hidden }),
  });
  const asked = shown({
    form: settings.form,
    ist: settings.ist,
    ...(settings.ist && { layers: settings.layers, heads: settings.heads }),
    ...(settings.form !== 'anchored' && { hidden: settings.hidden ?? joint }),
  });
  if (existing === asked) return;
  throw new Failure(
    'Usage.HeadDiffers',
    `The trained head of ${model} has ${existing}; the settings ask for ${asked}.`,
    {
      subject: model,
      hint: 'To train that head further, put its values into the train section of c2srt.yaml (--form is a flag too); for a new head, start from a checkpoint without one.',
    },
  );
}
