// What the scheduler does in no state at all: random data centers, and what must hold of every decision on them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideStep } from '../../../src/domain/rollout/decide-rollout.js';
import { HOLD_CODES } from '../../../src/domain/rollout/hold.js';
import type { CellReading, DataCenterSnapshot, FenceReading, Snapshot } from '../../../src/domain/rollout/snapshot.js';
import { INTENTS, SLOT_STAGES, STAGE_TRANSITIONS, STAGES } from '../../../src/domain/rollout/stage.js';
import { AWAY, CLOSED_WINDOW, cell, dc, FREEZE, LATER, NOW, nameStep, PASSED, PLANS } from './sample-snapshot.js';

const LEGAL: ReadonlySet<string> = new Set(STAGE_TRANSITIONS.map(({ from, to }) => `${from} ${to}`));

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
        sameServer: fc.boolean(),
        failure: fc.constantFrom(null, 'x'),
        pending: fc.nat(3),
        verified: fc.nat(3),
        known: fc.boolean(),
        canary: anyCanary,
        staleLeft: fc.nat(1),
        frozen: fc.constantFrom(false, false, true),
      })
      .map(
        ({ pending, verified, known, canary, staleLeft, frozen, ...f }): CellReading =>
          cell({
            ...(frozen && { freeze: FREEZE }),
            fence: f as Partial<FenceReading>,
            run: known ? { pending, verified, batches: 3, canary, staleLeft } : null,
          }),
      ),
  );
  const anyDc = (id: string, position: number): fc.Arbitrary<DataCenterSnapshot> =>
    fc
      .record({
        stage: fc.constantFrom(...STAGES.filter((stage) => stage !== 'undoing')),
        intent: fc.constantFrom(...INTENTS),
        fenceConfirmedClosed: fc.boolean(),
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

  test('starts nothing while another holds the slot or has a fence that is not confirmed closed, moves no stage but by the table, and leaves no slot with a fence that is open', () => {
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
                  (other) =>
                    other.fenceConfirmedClosed ||
                    !['pending', 'done', 'failed', 'aborted', 'undone'].includes(other.stage),
                ),
              ).toBe(true);
              expect(LEGAL).toContain(`${one.stage} canary`);
              expect(one.plan).toBe(PLANS.approved);
            }
            const to = step.kind === 'advance' ? step.to : step.kind === 'fail' ? 'failed' : undefined;
            if (to !== undefined) expect(LEGAL).toContain(`${one.stage} ${to}`);
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

  test('opens no fence and wakes workers for nothing while its cell is frozen, and shows the hold', () => {
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
        sameServer: fc.constantFrom(true, true, true, false),
        failure: fc.constantFrom(null, null, null, 'x'),
      }),
      canary: anyCanary.map((canary) => ({ ...canary, passed: false })),
      pending: fc.nat(3),
      verified: fc.nat(3),
    })
    .map(({ fence, canary, pending, verified, ...change }) =>
      dc({ ...change, cell: cell({ fence, run: { canary, pending, verified, batches: 3, staleLeft: 1 } }) }),
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
