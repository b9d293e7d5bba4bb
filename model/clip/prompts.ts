import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { Failure, messageOf } from '../../data/failure.ts';

/**
 * The ensemble that CLIP's authors selected for ImageNet out of eighty templates: what a checkpoint without
 * `prompts.json` is asked with.
 */
export const CLIP_PROMPTS: readonly string[] = [
  'itap of a {}.',
  'a bad photo of the {}.',
  'a origami {}.',
  'a photo of the large {}.',
  'a {} in a video game.',
  'art of the {}.',
  'a photo of the small {}.',
];

const promptsSchema = z
  .array(z.string().refine((text) => text.includes('{}'), 'a template needs {} where the category goes'))
  .min(1);

/** The templates in `file`, or CLIP's usual ones where it does not exist. Throws `Model.Prompts`. */
export function loadPrompts(file: string): readonly string[] {
  if (!existsSync(file)) return CLIP_PROMPTS;
  try {
    return promptsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new Failure('Model.Prompts', `${file} is not a list of prompt templates: ${why}`, {
      subject: file,
      hint: 'Write a JSON array of strings with {}.',
    });
  }
}

/** A template with the category in the place of every `{}`. */
export const fillPrompt = (template: string, category: string): string =>
  template.replaceAll('{}', () => category);
