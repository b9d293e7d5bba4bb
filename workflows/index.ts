/** All workflows, as the worker's bundler takes them. */
export { tagCorpus } from './tagCorpus.ts';
export { tagShards } from './tagShards.ts';
export { trainModel } from './trainModel.ts';
