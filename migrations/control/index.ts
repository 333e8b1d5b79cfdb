// The control schema in order.
import type { Migration } from '../migration.js';
import { createRecords, createRollout } from './rollout.js';

export const controlMigrations: readonly Migration[] = [createRollout, createRecords];
