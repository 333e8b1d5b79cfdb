// The control schema in order.
import { createCalendar } from './calendar.js';
import type { Migration } from '../migration.js';
import { pinDataCenters } from './pin.js';
import { createApprovals, createPlans } from './plans.js';
import { createRecords, createRollout } from './rollout.js';

export const controlMigrations: readonly Migration[] = [
  createRollout,
  createRecords,
  createPlans,
  createApprovals,
  pinDataCenters,
  createCalendar,
];
