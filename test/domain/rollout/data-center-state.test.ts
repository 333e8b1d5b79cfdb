// The one word for stage and intent of a data center: `paused` only where the cell was read and its fence is closed.
import { describe, expect, test } from 'vitest';
import { nameState } from '../../../src/domain/rollout/data-center-state.js';
import { AWAY, cell, dc } from './sample-snapshot.js';

describe('nameState', () => {
  const paused = { stage: 'migrating', intent: 'pause', requested: true } as const;

  test.each([
    ['a fence that is closed at its epoch', { ...paused, cell: cell({ fence: { state: 'closed' } }) }, 'paused'],
    ['a fence that is open, as after a restore', { ...paused, cell: cell() }, 'pausing'],
    [
      'a fence that was closed at an older epoch',
      { ...paused, cell: cell({ fence: { state: 'closed', epoch: 4n } }) },
      'pausing',
    ],
    [
      'a closed fence that control has not recorded',
      { ...paused, fenceConfirmedClosed: false, cell: cell({ fence: { state: 'closed' } }) },
      'pausing',
    ],
    ['a cell that does not answer', { ...paused, cell: AWAY }, 'pausing'],
    ['a cell that was not read', { ...paused, cell: undefined }, 'pausing'],
    ['a bake, in which nothing is written', { ...paused, stage: 'baking', cell: AWAY } as const, 'paused'],
  ])('%s', (_, change, state) => {
    expect(nameState(dc(change))).toBe(state);
  });
});
