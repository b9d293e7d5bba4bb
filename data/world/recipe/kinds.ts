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

/** A place or time, as the background shows it. */
interface Context {
  /** What the background is drawn like. Contexts share it, so that none can be read off its colours. */
  look: Look;
  /** How a caption says it. */
  phrase: string;
  /** Whether no training label names it. */
  unseen?: true;
}

export const LOOKS = ['meadow', 'water', 'room', 'ground', 'dark'] as const;
export type Look = (typeof LOOKS)[number];

/** The contexts by name, in the order of the categories. */
export const CONTEXTS = {
  beach: { look: 'water', phrase: 'at the beach' },
  bedroom: { look: 'room', phrase: 'in the bedroom', unseen: true },
  desert: { look: 'ground', phrase: 'in the desert' },
  farm: { look: 'meadow', phrase: 'at the farm', unseen: true },
  forest: { look: 'meadow', phrase: 'in the forest' },
  jungle: { look: 'meadow', phrase: 'in the jungle' },
  kitchen: { look: 'room', phrase: 'in the kitchen' },
  market: { look: 'ground', phrase: 'at the market' },
  night: { look: 'dark', phrase: 'at night' },
  ocean: { look: 'water', phrase: 'in the ocean' },
  office: { look: 'room', phrase: 'in the office', unseen: true },
  park: { look: 'meadow', phrase: 'in the park' },
  restaurant: { look: 'room', phrase: 'at the restaurant', unseen: true },
  savanna: { look: 'meadow', phrase: 'in the savanna' },
  sky: { look: 'water', phrase: 'in the sky' },
  snow: { look: 'water', phrase: 'in the snow', unseen: true },
  stadium: { look: 'ground', phrase: 'at the stadium' },
  stage: { look: 'dark', phrase: 'at the stage', unseen: true },
  street: { look: 'ground', phrase: 'in the street' },
  underwater: { look: 'water', phrase: 'underwater' },
  workshop: { look: 'dark', phrase: 'in the workshop' },
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
