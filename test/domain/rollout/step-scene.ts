// What the scheduler decides for one data center beside others, in words that a test can compare.
import { decideStep } from '../../../src/domain/rollout/decide-rollout.js';
import type { DataCenterSnapshot, Snapshot } from '../../../src/domain/rollout/snapshot.js';
import { NOW, nameStep } from './sample-snapshot.js';

/** The steps in a word or two, and the codes of the holds. */
export const decide = (one: DataCenterSnapshot, ...others: readonly DataCenterSnapshot[]) => {
  const snapshot: Snapshot = { now: NOW, dataCenters: [one, ...others] };
  const { steps, holds } = decideStep(snapshot, one);
  return { steps: steps.map(nameStep), holds: holds.map((hold) => hold.code) };
};
