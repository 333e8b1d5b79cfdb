// Why: a number of a worker's login without a bound is an average that overflows, at which every honest worker fails.
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';
import { MANY_NUMBERS } from './bounded-numbers.js';

export const boundSlowdown: Migration = {
  name: '20261204060010_pre_bound_slowdown',
  up: boundNumbersSql('credit_rollout', MANY_NUMBERS),
};
