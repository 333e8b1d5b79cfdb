// The lanes that an operator set reach the runs of the cell before anything else is decided there.
import { expect, test } from 'vitest';
import { decideDataCenter } from '../../../src/domain/rollout/decide-data-center.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, cell, dc, NOW, nameStep } from './sample-snapshot.js';

const decide = (change: Parameters<typeof dc>[0]): readonly string[] => {
  const one = dc(change);
  return decideDataCenter({ now: NOW, dataCenters: [one] }, one).steps.map(nameStep);
};

test.each(STAGES)('%s: runs with other lanes get those that are wanted, first of all', (stage) => {
  expect(decide({ stage, lanes: 3, cell: cell({ openLanes: [2] }) })[0]).toBe('set_lanes');
  expect(decide({ stage, lanes: 3, cell: cell({ openLanes: [2, 3] }) })[0]).toBe('set_lanes');
});

test.each(STAGES)('%s: nothing is set where they have them, or the cell is not read', (stage) => {
  for (const one of [cell({ openLanes: [2] }), cell({ openLanes: [] }), AWAY, undefined])
    expect(decide({ stage, cell: one })).not.toContain('set_lanes');
});

test('as many batches are woken as are wanted, and no more', () => {
  expect(decide({ stage: 'migrating', lanes: 1, cell: cell({ openLanes: [1] }) })).toEqual(['wake apply 1']);
});
