import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { Failure, messageOf } from '../../data/failure.ts';

/** Text to token ids as a CLIP checkpoint's own tokenizer does it, start and end token included. */
export interface TextTokenizer {
  /**
   * At most `maxTokens` ids; a longer text loses its tail, not its end token. What the vocabulary lacks becomes its
   * unknown token; throws `Model.Tokenizer` where it has none.
   */
  encode(text: string): number[];
}

interface HubTokenizer {
  /** A word-level tokenizer leaves a word that it does not know undefined. */
  encode(text: string): { ids: (number | undefined)[] };
}

/** The part of a tokenizer.json that says what stands for an unknown word. */
interface TokenizerJson {
  model?: { unk_token?: string | null; vocab?: Record<string, number>; [field: string]: unknown };
  [field: string]: unknown;
}

// The package's own declarations do not resolve in ESM.
const HubTokenizer = Tokenizer as unknown as new (tokenizer: object, config: object) => HubTokenizer;

/**
 * The tokenizer of a checkpoint folder: `tokenizer.json`, or `vocab.json` and `merges.txt` of older checkpoints.
 * Throws `Model.Tokenizer` naming the file.
 */
export function loadTokenizer(folder: string, maxTokens: number): TextTokenizer {
  const file = join(folder, 'tokenizer.json');
  let tokenizer: HubTokenizer;
  let unknown: number | undefined;
  try {
    const json = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as TokenizerJson)
      : clipTokenizer(folder);
    tokenizer = new HubTokenizer(json, {});
    unknown = json.model?.vocab?.[json.model.unk_token ?? ''];
  } catch (error) {
    throw new Failure('Model.Tokenizer', `The tokenizer of ${folder} cannot be read: ${messageOf(error)}.`, {
      subject: file,
      hint: 'The model folder needs tokenizer.json, or vocab.json and merges.txt.',
      cause: error,
    });
  }
  return {
    encode(text) {
      const ids = tokenizer.encode(text).ids.map((id) => {
        const known = id ?? unknown;
        if (known !== undefined) return known;
        throw new Failure(
          'Model.Tokenizer',
          `The tokenizer of ${folder} has no token for a word of ${JSON.stringify(text)}.`,
          {
            subject: file,
            hint: 'Use words that it knows, or a tokenizer with an unknown token.',
          },
        );
      });
      return ids.length <= maxTokens ? ids : [...ids.slice(0, maxTokens - 1), ids.at(-1)!];
    },
  };
}

/** CLIP's byte-level BPE in the form of a tokenizer.json, from the two files that older checkpoints have. */
function clipTokenizer(folder: string): TokenizerJson {
  const vocab = JSON.parse(readFileSync(join(folder, 'vocab.json'), 'utf8')) as Record<string, number>;
  const lines = readFileSync(join(folder, 'merges.txt'), 'utf8').split('\n');
  const merges = lines.filter((line) => line !== '' && !line.startsWith('#version'));
  const special = (content: string) => ({
    id: vocab[content]!,
    content,
    special: true,
    normalized: false,
    lstrip: false,
    rstrip: false,
    single_word: false,
  });
  const [start, end] = ['<|startoftext|>', '<|endoftext|>'] as const;
  const pattern = `${start.replaceAll('|', '\\|')}|${end.replaceAll('|', '\\|')}|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+`;
  return {
    version: '1.0',
    added_tokens: [special(start), special(end)],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [end, vocab[end]],
      cls: [start, vocab[start]],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: null,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: end,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      vocab,
      merges,
    },
  };
}
