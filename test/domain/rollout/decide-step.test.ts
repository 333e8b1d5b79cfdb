// The scheduler's decision: what stops comes before what goes on, the order of data centers, and every hold.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideStep } from '../../../src/domain/rollout/decide-step.js';
import { HOLD_CODES } from '../../../src/domain/rollout/hold.js';
import type { CellReading, DataCenterSnapshot, FenceReading, Snapshot } from '../../../src/domain/rollout/snapshot.js';
import { findTransition, INTENTS, SLOT_STAGES, STAGES } from '../../../src/domain/rollout/stage.js';
import {
  AWAY,
  type CellSketch,
  CLOSED_WINDOW,
  cell,
  dc,
  FREEZE,
  LATER,
  NOW,
  nameStep,
  PASSED,
  PLANS,
} from './sample-snapshot.js';

const decide = (one: DataCenterSnapshot, ...others: readonly DataCenterSnapshot[]) => {
  const snapshot: Snapshot = { now: NOW, dataCenters: [one, ...others] };
  const { steps, holds } = decideStep(snapshot, one);
  return { steps: steps.map(nameStep), holds: holds.map((hold) => hold.code) };
};

const asked = dc({ requested: true });

describe('decideStep: a data center that rests', () => {
  test.each([
    ['starts when it was asked for and nothing is in its way', asked, [], { steps: ['activate'], holds: [] }],
    ['does nothing when nobody asked', dc(), [], { steps: [], holds: [] }],
    [
      'closes a fence that is not known to be closed before anything else',
      dc({ requested: true, quiet: false }),
      [],
      { steps: ['close_fence'], holds: [] },
    ],
    ['waits for its cell', dc({ requested: true, cell: AWAY }), [], { steps: [], holds: ['cell_unreachable'] }],
    [
      'waits for a cell whose fence must be closed',
      dc({ quiet: false, cell: AWAY }),
      [],
      { steps: [], holds: ['cell_unreachable'] },
    ],
    ['waits for its start date', dc({ requested: true, notBeforeAt: LATER }), [], { steps: [], holds: ['not_before'] }],
    [
      'waits for its window',
      dc({ requested: true, window: CLOSED_WINDOW }),
      [],
      { steps: [], holds: ['window_closed'] },
    ],
    ['waits while paused', dc({ requested: true, intent: 'pause' }), [], { steps: [], holds: ['paused'] }],
    [
      'waits for a failed predecessor',
      asked,
      [dc({ id: 'in', position: 0, stage: 'failed' })],
      { steps: [], holds: ['predecessor_failed'] },
    ],
    [
      'waits for a predecessor that was asked for',
      asked,
      [dc({ id: 'in', position: 0, requested: true })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for a predecessor that bakes',
      asked,
      [dc({ id: 'in', position: 0, stage: 'baking' })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for a predecessor under way',
      asked,
      [dc({ id: 'in', position: 0, stage: 'verifying' })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for the slot that a later one holds',
      asked,
      [dc({ id: 'us', position: 2, stage: 'migrating' })],
      { steps: [], holds: ['slot_taken'] },
    ],
    [
      'waits for another one’s fence',
      asked,
      [dc({ id: 'us', position: 2, stage: 'aborted', quiet: false })],
      { steps: [], holds: ['not_quiet'] },
    ],
    [
      'does not wait for a predecessor that nobody asked for',
      asked,
      [dc({ id: 'in', position: 0 })],
      { steps: ['activate'], holds: [] },
    ],
    [
      'does not wait for a done, an aborted or a later one',
      asked,
      [
        dc({ id: 'in', position: 0, stage: 'done' }),
        dc({ id: 'xx', position: 0, stage: 'aborted' }),
        dc({ id: 'us', position: 2, requested: true }),
      ],
      { steps: ['activate'], holds: [] },
    ],
    [
      'does not wait for a later one that failed or bakes',
      asked,
      [dc({ id: 'us', position: 2, stage: 'failed' }), dc({ id: 'uk', position: 3, stage: 'baking' })],
      { steps: ['activate'], holds: [] },
    ],
  ] as const)('%s', (_promise, one, others, expected) => {
    expect(decide(one, ...others)).toEqual(expected);
  });

  test('names every reason at once, the strongest first', () => {
    const one = dc({ requested: true, intent: 'pause', notBeforeAt: LATER, window: CLOSED_WINDOW, cell: AWAY });
    expect(
      decide(one, dc({ id: 'in', position: 0, stage: 'failed' }), dc({ id: 'us', position: 2, stage: 'migrating' }))
        .holds,
    ).toEqual(['paused', 'predecessor_failed', 'not_before', 'slot_taken', 'cell_unreachable', 'window_closed']);
  });
});

describe('decideStep: what stops', () => {
  const SHUT = { state: 'closed' } as const;
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
      expect(decide(dc({ stage, ...change, cell: cell({ fence: SHUT }) })).steps).toEqual(
        then === undefined ? [] : [then],
      );
    }
    expect(decide(dc({ stage, cell: cell({ fence: { failure: 'x' } }) })).steps).toEqual(['close_fence']);
    expect(decide(dc({ stage, cell: cell({ fence: { ...SHUT, failure: 'x' } }) })).steps).toEqual(['fail x']);
  });

  test('a broken rule comes before an abort, an abort before a pause, a pause before a window', () => {
    const failed = cell({ fence: { ...SHUT, failure: 'x' } });
    expect(decide(dc({ stage: 'migrating', intent: 'abort', window: CLOSED_WINDOW, cell: failed })).steps).toEqual([
      'fail x',
    ]);
    expect(
      decide(dc({ stage: 'migrating', intent: 'abort', window: CLOSED_WINDOW, cell: cell({ fence: SHUT }) })).steps,
    ).toEqual(['advance aborted']);
    expect(
      decide(dc({ stage: 'migrating', intent: 'pause', window: CLOSED_WINDOW, cell: cell({ fence: SHUT }) })).holds,
    ).toEqual(['paused', 'window_closed']);
  });

  test('a fence closed under an older epoch is not closed: a sleeping scheduler could still open it', () => {
    expect(decide(dc({ stage: 'migrating', intent: 'pause', epoch: 6n, cell: cell({ fence: SHUT }) })).steps).toEqual([
      'close_fence',
    ]);
  });

  test('a failure under an older epoch is over', () => {
    expect(
      decide(dc({ stage: 'migrating', epoch: 6n, cell: cell({ fence: { ...SHUT, failure: 'x' } }) })).steps,
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
    expect(decide(dc({ stage: 'migrating', quiet: false, cell: frozen, ...change })).steps).toEqual(['close_fence']);
  });

  test('lets a fence that nobody closed be closed', () => {
    expect(decide(dc({ quiet: false, cell: frozen })).steps).toEqual(['close_fence']);
  });

  test('comes before a pause and a window', () => {
    const closed = cell({ freeze: FREEZE, fence: { state: 'closed' } });
    const one = dc({ stage: 'migrating', intent: 'pause', window: CLOSED_WINDOW, cell: closed });
    expect(decide(one).holds).toEqual(['frozen', 'paused', 'window_closed']);
  });
});

describe('decideStep: a run', () => {
  test.each([
    ['canary opens the fence', 'canary', cell({ fence: { state: 'closed' } }), ['open_fence open']],
    ['canary passes once the fence is open', 'canary', cell(), ['advance migrating']],
    ['canary opens again where the cell lost the run', 'canary', cell({ run: null }), ['open_fence open']],
    ['migrating rings for batches, not more than lanes', 'migrating', cell({ run: { pending: 9 } }), ['wake apply 2']],
    ['migrating rings for as many as are left', 'migrating', cell({ run: { pending: 1 } }), ['wake apply 1']],
    ['migrating rings for a cut first', 'migrating', cell({ run: { cut: false } }), ['wake cut 1', 'wake apply 2']],
    ['migrating opens a closed fence', 'migrating', cell({ fence: { state: 'closed' } }), ['open_fence open']],
    [
      'migrating opens again after a failover',
      'migrating',
      cell({ fence: { sameTimeline: false } }),
      ['open_fence open'],
    ],
    ['migrating opens again for another run’s fence', 'migrating', cell({ fence: { runId: 4n } }), ['open_fence open']],
    ['migrating opens again where the cell lost the run', 'migrating', cell({ run: null }), ['open_fence open']],
    ['migrating closes the fence when nothing is pending', 'migrating', cell({ run: { pending: 0 } }), ['close_fence']],
    [
      'migrating verifies once the fence is closed',
      'migrating',
      cell({ run: { pending: 0 }, fence: { state: 'closed' } }),
      ['advance verifying'],
    ],
    [
      'migrating does not end before it is cut',
      'migrating',
      cell({ run: { pending: 0, cut: false } }),
      ['wake cut 1', 'wake apply 1'],
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
      'verifying rings for ranges',
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
    '%s says what is wrong with its workers, and wakes all the same',
    (stage) => {
      for (const [sketch, holds] of [
        [{}, []],
        [{ workersAlive: 0, trouble: 'not_permitted', run: { idleMs: 120_001 } }, ['no_worker']],
        [{ trouble: 'not_permitted' }, ['cell_trouble']],
        [{ run: { idleMs: 120_000 } }, []],
        [{ run: { idleMs: 120_001 } }, ['stalled']],
        [{ trouble: 'not_permitted', run: { idleMs: 120_001 } }, ['cell_trouble', 'stalled']],
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

describe('decideStep: always', () => {
  const anyCanary = fc.oneof(
    fc.constant(PASSED),
    fc.record({
      passed: fc.boolean(),
      pending: fc.nat(2),
      unverified: fc.nat(2),
      mismatches: fc.nat(1),
      verifiedForMs: fc.constantFrom(null, 0, 60_000),
    }),
  );
  const anyReading = fc.oneof(
    fc.constant(AWAY),
    fc
      .record({
        state: fc.constantFrom('open', 'verifying', 'closed'),
        epoch: fc.bigInt({ min: 3n, max: 7n }),
        runId: fc.constantFrom(null, 4n, 5n),
        sameTimeline: fc.boolean(),
        failure: fc.constantFrom(null, 'x'),
        pending: fc.nat(3),
        cut: fc.boolean(),
        verified: fc.nat(3),
        known: fc.boolean(),
        canary: anyCanary,
        staleLeft: fc.nat(1),
        frozen: fc.constantFrom(false, false, true),
      })
      .map(
        ({ pending, cut, verified, known, canary, staleLeft, frozen, ...f }): CellReading =>
          cell({
            ...(frozen && { freeze: FREEZE }),
            fence: f as Partial<FenceReading>,
            run: known ? { pending, cut, verified, batches: 3, canary, staleLeft } : null,
          }),
      ),
  );
  const anyDc = (id: string, position: number): fc.Arbitrary<DataCenterSnapshot> =>
    fc
      .record({
        stage: fc.constantFrom(...STAGES.filter((stage) => stage !== 'undoing')),
        intent: fc.constantFrom(...INTENTS),
        quiet: fc.boolean(),
        requested: fc.boolean(),
        epoch: fc.constantFrom(null, 5n, 6n),
        bakeUntil: fc.constantFrom(null, LATER),
        notBeforeAt: fc.constantFrom(null, LATER),
        window: fc.constantFrom(CLOSED_WINDOW, dc().window),
        plan: fc.constantFrom(...Object.values(PLANS)),
        canaryWaitMs: fc.constantFrom(0, 1_000),
        cell: anyReading,
      })
      .map((change) => dc({ id, position, ...change }));

  test('starts nothing while another holds the slot or is not quiet, moves no stage but by the table, and leaves no slot with a fence that is open', () => {
    fc.assert(
      fc.property(anyDc('in', 0), anyDc('eu', 1), anyDc('us', 2), (...all) => {
        const snapshot: Snapshot = { now: NOW, dataCenters: all };
        for (const one of all) {
          const { steps, holds } = decideStep(snapshot, one);
          for (const hold of holds) expect(HOLD_CODES).toContain(hold.code);
          const others = all.filter((other) => other !== one);
          for (const step of steps) {
            if (step.kind === 'activate') {
              expect(others.some((other) => SLOT_STAGES.includes(other.stage))).toBe(false);
              expect(
                others.every(
                  (other) => other.quiet || !['pending', 'done', 'failed', 'aborted', 'undone'].includes(other.stage),
                ),
              ).toBe(true);
              expect(findTransition(one.stage, 'canary')).toBeDefined();
              expect([PLANS.unpinned, PLANS.approved]).toContain(one.plan);
            }
            const to = step.kind === 'advance' ? step.to : step.kind === 'fail' ? 'failed' : undefined;
            if (to !== undefined) expect(findTransition(one.stage, to)).toBeDefined();
            if (to !== undefined && SLOT_STAGES.includes(one.stage) && !SLOT_STAGES.includes(to)) {
              expect(
                one.cell?.kind === 'read' &&
                  one.cell.fence.state === 'closed' &&
                  one.cell.fence.epoch >= (one.epoch ?? 0n),
              ).toBe(true);
            }
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('opens no fence and wakes workers for nothing while its cell is frozen, and says so', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyDc('eu', 1), anyDc('in', 0), (one, other) => {
        if (one.cell?.kind !== 'read' || one.cell.freeze === null) return;
        const { steps, holds } = decideStep({ now: NOW, dataCenters: [one, other] }, one);
        for (const step of steps) {
          seen.add(step.kind);
          expect(['open_fence', 'wake_workers', 'activate', 'allow_single_writes', 'request_plan']).not.toContain(
            step.kind,
          );
        }
        if (steps.length === 0 && !(one.stage === 'baking' && one.intent === 'pause'))
          expect(holds.map(({ code }) => code)).toContain('frozen');
      }),
      { numRuns: 3_000 },
    );
    expect(seen).toContain('close_fence');
  });

  /** A run whose canary has not passed, mostly with nothing else in its way. */
  const anyInCanary = fc
    .record({
      stage: fc.constantFrom('canary', 'migrating', 'verifying'),
      intent: fc.constantFrom('run', 'run', 'run', ...INTENTS),
      canaryWaitMs: fc.constantFrom(0, 1_000),
      fence: fc.record({
        state: fc.constantFrom('open', 'verifying', 'closed'),
        epoch: fc.constantFrom(5n, 5n, 5n, 4n, 6n),
        runId: fc.constantFrom(5n, 5n, 5n, 4n, null),
        sameTimeline: fc.constantFrom(true, true, true, false),
        failure: fc.constantFrom(null, null, null, 'x'),
      }),
      canary: anyCanary.map((canary) => ({ ...canary, passed: false })),
      cut: fc.boolean(),
      pending: fc.nat(3),
      verified: fc.nat(3),
    })
    .map(({ fence, canary, cut, pending, verified, ...change }) =>
      dc({ ...change, cell: cell({ fence, run: { canary, cut, pending, verified, batches: 3, staleLeft: 1 } }) }),
    );

  test('takes no range, and nothing that comes after ranges, before the canary has passed', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(anyInCanary, anyDc('eu', 1)), anyDc('in', 0), (one, other) => {
        const run = one.cell?.kind === 'read' ? one.cell.run : undefined;
        if (one.cell?.kind !== 'read' || run === undefined || run.canary.passed) return;
        const { canary } = run;
        for (const step of decideStep({ now: NOW, dataCenters: [one, other] }, one).steps) {
          if (!SLOT_STAGES.includes(one.stage)) {
            expect(['open_fence', 'pass_canary', 'follow_up', 'fail']).not.toContain(step.kind);
            if (step.kind === 'wake_workers') expect(step.job).toBe('plan');
            continue;
          }
          const name = nameStep(step);
          seen.add(name);
          // one worker and one batch: the canary's own
          const may: Readonly<Record<string, boolean>> = {
            close_fence: true,
            'advance aborted': one.intent === 'abort',
            'fail x': one.cell.fence.failure === 'x',
            'open_fence open': canary.pending > 0,
            'wake apply 1': canary.pending > 0,
            'open_fence verifying': canary.pending === 0 && canary.unverified > 0,
            'wake verify 1': canary.pending === 0 && canary.unverified > 0,
            'fail verification_mismatch': canary.mismatches > 0,
            pass_canary:
              canary.pending + canary.unverified + canary.mismatches === 0 && one.cell.fence.state === 'closed',
          };
          expect([name, may[name]]).toEqual([name, true]);
        }
      }),
      { numRuns: 10_000 },
    );
    expect([...seen].sort()).toEqual([
      'advance aborted',
      'close_fence',
      'fail verification_mismatch',
      'fail x',
      'open_fence open',
      'open_fence verifying',
      'pass_canary',
      'wake apply 1',
      'wake verify 1',
    ]);
  });
});
