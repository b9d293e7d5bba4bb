/** All workflows, as the worker's bundler takes them. */
export { buildGraph } from './graph/buildGraph.ts';
export { evaluateModel } from './evaluate/evaluateModel.ts';
export { retrain, retrainOnSchedule } from './retrain/retrain.ts';
export { surveyRetrain } from './retrain/surveyRetrain.ts';
export { tagCorpus } from './tag/tagCorpus.ts';
export { tagIncrement } from './tag/tagIncrement.ts';
export { tagShards } from './tag/tagShards.ts';
export { trainModel } from './train/trainModel.ts';
