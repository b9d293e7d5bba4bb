import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { searchable, SEARCH_ATTRIBUTES } from '../../data/run/atWork/searchAttributes.ts';

export const KIND = defineSearchAttributeKey(SEARCH_ATTRIBUTES.kind, 'KEYWORD');
export const STAGE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.stage, 'KEYWORD');
export const PAUSED = defineSearchAttributeKey(SEARCH_ATTRIBUTES.paused, 'BOOL');
const OUTPUT = defineSearchAttributeKey(SEARCH_ATTRIBUTES.output, 'KEYWORD');

/** The search attributes that a run is started with. */
export const attributesOf = (kind: string, output: string): TypedSearchAttributes =>
  new TypedSearchAttributes([
    { key: KIND, value: kind },
    { key: OUTPUT, value: searchable(output) },
  ]);
