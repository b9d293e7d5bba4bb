/** Task queues, by what a worker needs to serve them. */
export const QUEUES = {
  /** Workflows, and activities that only need the object stores. */
  orchestrate: 'orchestrate',
  /** Activities that run the model. */
  gpu: 'gpu',
  /** Activities that ask a language model: their workers have its key. */
  llm: 'llm',
} as const;

export type Queue = keyof typeof QUEUES;
