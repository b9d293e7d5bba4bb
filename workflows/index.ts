/** All workflows, as the worker's bundler takes them. */
export { buildGraph } from './buildGraph.ts';
export { evaluateModel } from './evaluateModel.ts';
export { retrain, retrainOnSchedule } from './retrain.ts';
export { surveyRetrain } from './surveyRetrain.ts';
export { tagCorpus } from './tagCorpus.ts';
export { tagIncrement } from './tagIncrement.ts';
export { tagShards } from './tagShards.ts';
export { trainModel } from './trainModel.ts';
