/**
 * Ways to look a noun up: spellings with and without spaces and hyphens, and singulars of plurals. The rules are those
 * of Princeton's morphy(7WN); its list of exceptions is not in the package that the database comes in, so the irregular
 * plurals of things that images show are listed here.
 */

/** Plural, singular. One that a word ends with is tried too: `mice` serves `dormice`. */
const IRREGULAR: readonly (readonly [string, string])[] = [
  ...pairs('calves calf, dwarves dwarf, elves elf, halves half, hooves hoof, knives knife, leaves leaf'),
  ...pairs('lives life, loaves loaf, scarves scarf, sheaves sheaf, shelves shelf, staves staff'),
  ...pairs('thieves thief, wharves wharf, wives wife, wolves wolf'),
  ...pairs(
    'brethren brother, children child, dice die, feet foot, geese goose, lice louse, men man, mice mouse',
  ),
  ...pairs('oxen ox, people person, teeth tooth, quizzes quiz, fezzes fez'),
  ...pairs('alumni alumnus, bacilli bacillus, cacti cactus, foci focus, fungi fungus, gladioli gladiolus'),
  ...pairs('hippopotami hippopotamus, narcissi narcissus, nuclei nucleus, octopi octopus'),
  ...pairs('platypi platypus, radii radius, stimuli stimulus, thesauri thesaurus'),
  ...pairs('aquaria aquarium, atria atrium, bacteria bacterium, gymnasia gymnasium, ova ovum, podia podium'),
  ...pairs('solaria solarium, stadia stadium, strata stratum, terraria terrarium, criteria criterion'),
  ...pairs('phenomena phenomenon, spectra spectrum, millennia millennium'),
  ...pairs(
    'algae alga, antennae antenna, formulae formula, larvae larva, nebulae nebula, vertebrae vertebra',
  ),
  ...pairs('analyses analysis, bases basis, crises crisis, ellipses ellipse, oases oasis, theses thesis'),
  ...pairs(
    'appendices appendix, codices codex, helices helix, indices index, matrices matrix, vertices vertex',
  ),
  ...pairs(
    'beaux beau, bureaux bureau, chateaux chateau, gateaux gateau, plateaux plateau, tableaux tableau',
  ),
  ...pairs('cherubim cherub, seraphim seraph, kibbutzim kibbutz, graffiti graffito, paparazzi paparazzo'),
];

/** Plural ending, singular ending; tried in this order. morphy's, and `oes`, which its exceptions cover. */
const ENDINGS: readonly (readonly [string, string])[] = [
  ...[['s', ''] as const],
  ...pairs('ses s, xes x, zes z, ches ch, shes sh, men man, ies y, oes o'),
];

/** Between the noun that a phrase is about and what says more about it. */
const PREPOSITIONS = new Set([
  'of',
  'in',
  'on',
  'at',
  'with',
  'without',
  'from',
  'for',
  'to',
  'by',
  'under',
  'near',
]);

/** A category's name as words: folded case, no accents, no remark in parentheses. */
export function wordsOf(name: string): string[] {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/\([^)]*\)/g, ' ')
    .split(/[\s_]+/)
    .filter((word) => word !== '');
}

/** Where the noun that a phrase is about stands: before its preposition, else last ("bowl of fruit": 0). */
export function headOf(words: readonly string[]): number {
  const preposition = words.findIndex((word, i) => i > 0 && PREPOSITIONS.has(word));
  return (preposition === -1 ? words.length : preposition) - 1;
}

/** Lemmas that the words may stand for, the likeliest first: as they are, then with a singular for the head noun. */
export function* lemmasOf(words: readonly string[]): Generator<string> {
  yield* spellingsOf(words);
  // "birds of prey", "men in black"; and "Brussels sprouts", whose head is last
  for (const at of new Set([headOf(words), words.length - 1]))
    for (const noun of singularsOf(words[at]!)) yield* spellingsOf(words.with(at, noun));
}

/** "t shirt", "t-shirt" and "tshirt" are one word to their writers; which one WordNet lists differs. */
function spellingsOf(words: readonly string[]): string[] {
  const lemma = words.join('_');
  if (!/[-_.]/.test(lemma)) return [lemma];
  return [
    lemma,
    lemma.replaceAll('-', '_'),
    lemma.replaceAll('_', '-'),
    lemma.replace(/[-_]/g, ''),
    lemma.replaceAll('.', ''),
  ];
}

/** What a noun may be the plural of, exceptions first; not all are words. */
function singularsOf(noun: string): string[] {
  const swap = ([plural, singular]: readonly [string, string]) =>
    noun.endsWith(plural) ? [noun.slice(0, noun.length - plural.length) + singular] : [];
  // as morphy: too short, or like "glass", it is no plural
  if (noun.length <= 2 || noun.endsWith('ss')) return [];
  return [...IRREGULAR.flatMap(swap), ...ENDINGS.flatMap(swap)].filter((form) => form.length > 1);
}

function pairs(list: string): (readonly [string, string])[] {
  return list.split(', ').map((pair) => {
    const [plural, singular] = pair.split(' ');
    return [plural!, singular!];
  });
}
