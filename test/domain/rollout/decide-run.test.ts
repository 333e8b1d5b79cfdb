// A run that goes on: fence, batches, verification, follow-up, workers that meet an error, and the bake.
import { describe, expect, test } from 'vitest';
import { decideStep } from '../../../src/domain/rollout/decide-rollout.js';
import { formatRelease } from '../../../src/domain/rollout/hold.js';
import type { DataCenterSnapshot } from '../../../src/domain/rollout/snapshot.js';
import { AWAY, type CellSketch, cell, dc, LATER, NOW, PLANS } from './sample-snapshot.js';
import { decide } from './step-scene.js';

describe('decideStep: a run', () => {
  test.each([
    ['canary opens the fence', 'canary', cell({ fence: { state: 'closed' } }), ['open_fence open']],
    ['canary passes once the fence is open', 'canary', cell(), ['advance migrating']],
    ['canary opens again where the cell lost the run', 'canary', cell({ run: null }), ['open_fence open']],
    [
      'migrating requests wake-ups for batches, not more than lanes',
      'migrating',
      cell({ run: { pending: 9 } }),
      ['wake apply 2'],
    ],
    [
      'migrating requests as many as there are batches left',
      'migrating',
      cell({ run: { pending: 1 } }),
      ['wake apply 1'],
    ],
    ['migrating opens a closed fence', 'migrating', cell({ fence: { state: 'closed' } }), ['open_fence open']],
    [
      'migrating opens again after a failover',
      'migrating',
      cell({ fence: { sameTimeline: false } }),
      ['open_fence open'],
    ],
    [
      'migrating opens again on a server that has started again',
      'migrating',
      cell({ fence: { sameServer: false } }),
      ['open_fence open'],
    ],
    ['migrating opens again for another run’s fence', 'migrating', cell({ fence: { runId: 4n } }), ['open_fence open']],
    ['migrating opens again for another epoch', 'migrating', cell({ fence: { epoch: 4n } }), ['open_fence open']],
    ['migrating opens again where the cell lost the run', 'migrating', cell({ run: null }), ['open_fence open']],
    ['migrating closes the fence when nothing is pending', 'migrating', cell({ run: { pending: 0 } }), ['close_fence']],
    [
      'migrating verifies once the fence is closed',
      'migrating',
      cell({ run: { pending: 0 }, fence: { state: 'closed' } }),
      ['advance verifying'],
    ],
    [
      'verifying opens for the verification',
      'verifying',
      cell({ run: { pending: 0 }, fence: { state: 'closed' } }),
      ['open_fence verifying'],
    ],
    [
      'verifying never works with a fence open for batches',
      'verifying',
      cell({ run: { pending: 0 } }),
      ['open_fence verifying'],
    ],
    [
      'verifying requests wake-ups for ranges',
      'verifying',
      cell({ run: { pending: 0 }, fence: { state: 'verifying' } }),
      ['wake verify 2'],
    ],
    [
      'verifying closes when all is verified',
      'verifying',
      cell({ run: { pending: 0, verified: 10 }, fence: { state: 'verifying' } }),
      ['close_fence'],
    ],
    [
      'verifying bakes when the fence is closed',
      'verifying',
      cell({ run: { pending: 0, verified: 10 }, fence: { state: 'closed' } }),
      ['advance baking'],
    ],
    [
      'verifying fails on a mismatch',
      'verifying',
      cell({ run: { pending: 0, verified: 10, mismatches: 1 }, fence: { state: 'closed' } }),
      ['fail verification_mismatch'],
    ],
    [
      'verifying goes back when work came back',
      'verifying',
      cell({ run: { pending: 1 }, fence: { state: 'closed' } }),
      ['advance migrating'],
    ],
    [
      'verifying closes before it goes back',
      'verifying',
      cell({ run: { pending: 1 }, fence: { state: 'verifying' } }),
      ['close_fence'],
    ],
    [
      'verifying follows up once what changed since the plan',
      'verifying',
      cell({ run: { pending: 0, verified: 10, staleLeft: 3 }, fence: { state: 'closed' } }),
      ['follow_up'],
    ],
    [
      'verifying closes the fence before it follows up',
      'verifying',
      cell({ run: { pending: 0, verified: 10, staleLeft: 3 }, fence: { state: 'verifying' } }),
      ['close_fence'],
    ],
    [
      'verifying does not follow up twice',
      'verifying',
      cell({ run: { pending: 0, verified: 10, staleLeft: 3, followedUp: true }, fence: { state: 'closed' } }),
      ['advance baking'],
    ],
    [
      'verifying fails on a mismatch before it follows up',
      'verifying',
      cell({ run: { pending: 0, verified: 10, staleLeft: 3, mismatches: 1 }, fence: { state: 'closed' } }),
      ['fail verification_mismatch'],
    ],
    ['verifying opens again where the cell lost the run', 'verifying', cell({ run: null }), ['open_fence verifying']],
  ] as const)('%s', (_promise, stage, reading, steps) => {
    expect(decide(dc({ stage, cell: reading })).steps).toEqual(steps);
  });

  test.each(['canary', 'migrating', 'verifying'] as const)(
    '%s closes the fence of a run that follows no plan, then waits to be given up, and opens nothing',
    (stage) => {
      const one = (sketch: CellSketch): DataCenterSnapshot => dc({ stage, plan: PLANS.lost, cell: cell(sketch) });
      for (const state of ['open', 'verifying'] as const)
        expect(decide(one({ fence: { state } }))).toEqual({ steps: ['close_fence'], holds: [] });
      for (const run of [{}, { pending: 0 }, { pending: 0, verified: 10 }, null]) {
        const held = decideStep({ now: NOW, dataCenters: [] }, one({ fence: { state: 'closed' }, run }));
        expect(held.steps).toEqual([]);
        expect(held.holds).toMatchObject([{ code: 'plan_failed', value: 'plan_unknown', needsPerson: true }]);
        expect(held.holds.map(({ release }) => formatRelease(release))).toEqual(['credit-rollout abort --dc eu']);
      }
      expect(decide({ ...one({ fence: { state: 'closed' } }), intent: 'abort' }).steps).toEqual(['advance aborted']);
    },
  );

  test('follows up not beyond what the guard-rails allow the plan and its follow-up together', () => {
    const verified = cell({
      run: { pending: 0, verified: 10, staleLeft: 3, touched: 97 },
      fence: { state: 'closed' },
    });
    for (const [orgsTouched, steps] of [
      [100, ['follow_up']],
      [99, ['advance baking']],
    ] as const)
      expect(decide(dc({ stage: 'verifying', orgsTouched, cell: verified })).steps).toEqual(steps);
  });

  const working = (stage: 'migrating' | 'verifying', sketch: CellSketch = {}): DataCenterSnapshot =>
    dc({
      stage,
      cell: cell({
        fence: { state: stage === 'migrating' ? 'open' : 'verifying' },
        ...sketch,
        run: { pending: stage === 'migrating' ? 4 : 0, ...sketch.run },
      }),
    });

  test.each(['migrating', 'verifying'] as const)(
    '%s shows what is wrong with its workers, and requests wake-ups all the same',
    (stage) => {
      for (const [sketch, holds] of [
        [{}, []],
        [{ workersAlive: 0, lastError: 'not_permitted', run: { idleMs: 120_001 } }, ['no_worker']],
        [{ lastError: 'not_permitted' }, ['cell_trouble']],
        [{ run: { idleMs: 120_000 } }, []],
        [{ run: { idleMs: 120_001 } }, ['stalled']],
        [{ lastError: 'not_permitted', run: { idleMs: 120_001 } }, ['cell_trouble', 'stalled']],
      ] as const) {
        const decision = decide(working(stage, sketch));
        expect(decision.holds).toEqual(holds);
        expect(decision.steps).toEqual([stage === 'migrating' ? 'wake apply 2' : 'wake verify 2']);
      }
    },
  );
});

describe('decideStep: the bake', () => {
  test.each([
    ['ends', {}, { steps: ['advance done'], holds: [] }],
    ['waits', { bakeUntil: LATER }, { steps: [], holds: ['baking'] }],
    ['ends at its instant', { bakeUntil: NOW }, { steps: ['advance done'], holds: [] }],
    ['waits for its query', { cell: cell({ bakeQuery: false }) }, { steps: [], holds: ['bake_query'] }],
    ['ends when its query is true', { cell: cell({ bakeQuery: true }) }, { steps: ['advance done'], holds: [] }],
    ['waits for its cell', { cell: AWAY }, { steps: [], holds: ['cell_unreachable'] }],
    ['waits while paused', { intent: 'pause' }, { steps: [], holds: ['paused'] }],
    [
      'is aborted even before its end',
      { intent: 'abort', bakeUntil: LATER },
      { steps: ['advance aborted'], holds: [] },
    ],
  ] as const)('%s', (_promise, change, expected) => {
    expect(decide(dc({ stage: 'baking', ...change }))).toEqual(expected);
  });
});
