import { describe, expect, test } from 'vitest';
import { parseCategories } from '../../data/categories.ts';
import { openModelFolder } from '../../model/modelFolder.ts';

const model = openModelFolder('assets/demo/model');

describe('prompts of a category', () => {
  test('a category as its file gives it has the templates of the model', () => {
    const [dog] = parseCategories('dog', 'categories.txt');
    const prompts = model.promptsOf(dog!);
    expect(prompts).toHaveLength(7);
    expect(prompts[0]).toBe('a photo of dog');
  });

  test('its own prompts replace them, and each alias has all', () => {
    expect(model.promptsOf({ name: 'car', aliases: ['automobile'], prompts: ['my {}', 'a {}'] })).toEqual([
      'my car',
      'a car',
      'my automobile',
      'a automobile',
    ]);
  });
});
