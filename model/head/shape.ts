import { Failure } from '../../data/failure.ts';
import type { TensorEntry } from '../../data/safetensors.ts';
import type { HeadSettings } from '../clip/config.ts';
import type { HeadShape } from './head.ts';

/** Prefix of the head's tensors in `model.safetensors`. */
export const HEAD_PREFIX = 'head.';

/**
 * The sizes of the head whose tensors start with `prefix`; undefined where there is none (a plain CLIP checkpoint).
 * Throws `Model.Head` where the tensors belong to another form than the configuration names.
 */
export function headShape(
  tensors: ReadonlyMap<string, TensorEntry>,
  form: HeadSettings['form'],
  prefix = HEAD_PREFIX,
): HeadShape | undefined {
  let layers = 0;
  while (tensors.has(`${prefix}gat.${layers}.att`)) layers++;
  const hidden = tensors.get(`${prefix}fc1.weight`)?.shape[0];
  // Trained without IST, a head is its fusion FFN alone, and in the anchored form nothing.
  if (layers === 0)
    return hidden === undefined || form === 'anchored' ? undefined : { layers, heads: 1, hidden };
  const heads = tensors.get(`${prefix}gat.0.att`)!.shape[0]!;
  const anchored = tensors.has(`${prefix}gat.0.v`);
  const residual = tensors.has(`${prefix}gate`);
  const found = anchored ? 'anchored' : residual ? 'residual' : 'plain';
  if (found !== form) {
    throw new Failure(
      'Model.Head',
      `config.json says form ${form}, but the head's tensors are those of the ${found} form.`,
      {
        hint: 'Set c2srt.form in config.json to the form that was trained.',
      },
    );
  }
  return hidden === undefined ? { layers, heads } : { layers, heads, hidden };
}
