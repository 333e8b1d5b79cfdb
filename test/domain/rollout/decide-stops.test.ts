// What stops a run: failures, aborts, pauses, windows and freezes come before anything that goes on.
import { describe, expect, test } from 'vitest';
import { decideStep } from '../../../src/domain/rollout/decide-rollout.js';
import { AWAY, CLOSED_WINDOW, cell, dc, FREEZE, NOW } from './sample-snapshot.js';
import { decide } from './step-scene.js';

describe('decideStep: what stops', () => {
  const CLOSED = { state: 'closed' } as const;
  test.each(['canary', 'migrating', 'verifying'] as const)(
    '%s: a cell that cannot be read holds everything',
    (stage) => {
      expect(decide(dc({ stage, cell: AWAY }))).toEqual({ steps: [], holds: ['cell_unreachable'] });
    },
  );

  test.each(['canary', 'migrating', 'verifying'] as const)('%s: closes the fence before the stage moves', (stage) => {
    for (const [change, then] of [
      [{ intent: 'abort' }, 'advance aborted'],
      [{ intent: 'pause' }, undefined],
      [{ window: CLOSED_WINDOW }, undefined],
    ] as const) {
      expect(decide(dc({ stage, ...change })).steps).toEqual(['close_fence']);
      expect(decide(dc({ stage, ...change, cell: cell({ fence: CLOSED }) })).steps).toEqual(
        then === undefined ? [] : [then],
      );
    }
    expect(decide(dc({ stage, cell: cell({ fence: { failure: 'x' } }) })).steps).toEqual(['close_fence']);
    expect(decide(dc({ stage, cell: cell({ fence: { ...CLOSED, failure: 'x' } }) })).steps).toEqual(['fail x']);
  });

  test('a broken rule comes before an abort, an abort before a pause, a pause before a window', () => {
    const failed = cell({ fence: { ...CLOSED, failure: 'x' } });
    expect(decide(dc({ stage: 'migrating', intent: 'abort', window: CLOSED_WINDOW, cell: failed })).steps).toEqual([
      'fail x',
    ]);
    expect(
      decide(dc({ stage: 'migrating', intent: 'abort', window: CLOSED_WINDOW, cell: cell({ fence: CLOSED }) })).steps,
    ).toEqual(['advance aborted']);
    expect(
      decide(dc({ stage: 'migrating', intent: 'pause', window: CLOSED_WINDOW, cell: cell({ fence: CLOSED }) })).holds,
    ).toEqual(['paused', 'window_closed']);
  });

  test('a fence closed under an older epoch is not closed: a sleeping scheduler could still open it', () => {
    expect(decide(dc({ stage: 'migrating', intent: 'pause', epoch: 6n, cell: cell({ fence: CLOSED }) })).steps).toEqual(
      ['close_fence'],
    );
  });

  test('a failure under an older epoch is over', () => {
    expect(
      decide(dc({ stage: 'migrating', epoch: 6n, cell: cell({ fence: { ...CLOSED, failure: 'x' } }) })).steps,
    ).toEqual(['open_fence open']);
  });
});

describe('decideStep: a freeze', () => {
  const frozen = cell({ freeze: FREEZE });

  test.each(['pending', 'canary', 'migrating', 'verifying', 'baking', 'done'] as const)(
    '%s: takes no step, and names the command that ends it',
    (stage) => {
      const one = dc({ stage, requested: true, cell: frozen });
      expect(decide(one)).toEqual({ steps: [], holds: ['frozen'] });
      const [hold] = decideStep({ now: NOW, dataCenters: [one] }, one).holds;
      expect(hold).toMatchObject({
        release: { kind: 'command', verb: 'unfreeze', args: ['--dc', 'eu'] },
        needsPerson: true,
      });
    },
  );

  test('is shown where nothing was asked for', () => {
    expect(decide(dc({ stage: 'done', cell: frozen }))).toEqual({ steps: [], holds: ['frozen'] });
  });

  test.each([
    ['an abort', { intent: 'abort' }],
    ['a pause', { intent: 'pause' }],
    ['a closed window', { window: CLOSED_WINDOW }],
  ] as const)('lets %s close the fence', (_case, change) => {
    expect(decide(dc({ stage: 'migrating', fenceConfirmedClosed: false, cell: frozen, ...change })).steps).toEqual([
      'close_fence',
    ]);
  });

  test('lets a fence that nobody closed be closed', () => {
    expect(decide(dc({ fenceConfirmedClosed: false, cell: frozen })).steps).toEqual(['close_fence']);
  });

  test('comes before a pause and a window', () => {
    const closed = cell({ freeze: FREEZE, fence: { state: 'closed' } });
    const one = dc({ stage: 'migrating', intent: 'pause', window: CLOSED_WINDOW, cell: closed });
    expect(decide(one).holds).toEqual(['frozen', 'paused', 'window_closed']);
  });
});
