/** What a hypernym is, besides a name. */
interface Hypernym {
  /** The more general one. */
  parent?: string;
  /** Whether no training label names it. */
  unseen?: true;
}

/** The hypernyms by name, in the order of the categories. */
export const HYPERNYMS = {
  aircraft: { parent: 'vehicle', unseen: true },
  animal: {},
  ball: {},
  bird: { parent: 'animal' },
  boat: { parent: 'vehicle' },
  building: {},
  clothing: {},
  dessert: { parent: 'food', unseen: true },
  drink: {},
  electronics: { unseen: true },
  flower: { parent: 'plant' },
  food: { unseen: true },
  footwear: { parent: 'clothing' },
  fruit: { parent: 'food' },
  furniture: {},
  insect: { parent: 'animal' },
  instrument: { unseen: true },
  mammal: { parent: 'animal' },
  pet: { parent: 'animal' },
  plant: { unseen: true },
  reptile: { parent: 'animal' },
  'sea creature': { parent: 'animal' },
  tool: { unseen: true },
  tree: { parent: 'plant', unseen: true },
  vegetable: { parent: 'food' },
  vehicle: {},
} satisfies Record<string, Hypernym>;

export type HypernymName = keyof typeof HYPERNYMS;

/** A place or time, as the background hints at it. */
interface Context {
  /** What colours the background mostly has, and what texture: each is shared with other contexts, the pair with none. */
  palette: Palette;
  surface: Surface;
  /** How a caption says it. */
  phrase: string;
  /** Whether no training label names it. */
  unseen?: true;
}

export type Palette = 'green' | 'sand' | 'blue' | 'pale' | 'grey' | 'warm' | 'dark';
export type Surface = 'stripes' | 'soft' | 'grass' | 'furrows' | 'waves' | 'tiles' | 'specks';

/** The contexts by name, in the order of the categories. */
export const CONTEXTS = {
  beach: { palette: 'sand', surface: 'soft', phrase: 'at the beach' },
  bedroom: { palette: 'warm', surface: 'stripes', phrase: 'in the bedroom', unseen: true },
  desert: { palette: 'sand', surface: 'waves', phrase: 'in the desert' },
  farm: { palette: 'green', surface: 'furrows', phrase: 'at the farm', unseen: true },
  forest: { palette: 'green', surface: 'stripes', phrase: 'in the forest' },
  jungle: { palette: 'green', surface: 'soft', phrase: 'in the jungle' },
  kitchen: { palette: 'pale', surface: 'tiles', phrase: 'in the kitchen' },
  market: { palette: 'warm', surface: 'furrows', phrase: 'at the market' },
  night: { palette: 'dark', surface: 'specks', phrase: 'at night' },
  ocean: { palette: 'blue', surface: 'waves', phrase: 'in the ocean' },
  office: { palette: 'pale', surface: 'stripes', phrase: 'in the office', unseen: true },
  park: { palette: 'green', surface: 'grass', phrase: 'in the park' },
  restaurant: { palette: 'warm', surface: 'tiles', phrase: 'at the restaurant', unseen: true },
  savanna: { palette: 'sand', surface: 'grass', phrase: 'in the savanna' },
  sky: { palette: 'blue', surface: 'soft', phrase: 'in the sky' },
  snow: { palette: 'pale', surface: 'specks', phrase: 'in the snow', unseen: true },
  stadium: { palette: 'grey', surface: 'grass', phrase: 'at the stadium' },
  stage: { palette: 'dark', surface: 'stripes', phrase: 'at the stage', unseen: true },
  street: { palette: 'grey', surface: 'furrows', phrase: 'in the street' },
  underwater: { palette: 'blue', surface: 'stripes', phrase: 'underwater' },
  workshop: { palette: 'grey', surface: 'tiles', phrase: 'in the workshop' },
} satisfies Record<string, Context>;

export type ContextName = keyof typeof CONTEXTS;

export const CONTEXT_NAMES = Object.keys(CONTEXTS) as ContextName[];

/** Other words for an object or a context, present wherever that is. */
export const SYNONYMS = {
  automobile: { of: 'car', unseen: true },
  sofa: { of: 'couch', unseen: true },
  bunny: { of: 'rabbit', unseen: true },
  bike: { of: 'bicycle', unseen: true },
  plane: { of: 'airplane' },
  hog: { of: 'pig', unseen: true },
  sea: { of: 'ocean', unseen: true },
  woods: { of: 'forest', unseen: true },
  TV: { of: 'television' },
  lorry: { of: 'truck', unseen: true },
} satisfies Record<string, { of: string; unseen?: true }>;
