// The steps of the canary: applied, its fence closed, verified, closed, waited for, passed. Every step and hold, and
// when each is not.
import { describe, expect, test } from 'vitest';
import { decideCanary } from '../../../src/domain/rollout/decide-canary.js';
import type { CanaryReading, FenceReading } from '../../../src/domain/rollout/snapshot.js';
import { type CellSketch, cell, dc, nameStep, run } from './sample-snapshot.js';

const WAIT_MS = 90_000;
const PENDING = { passed: false, pending: 1, unverified: 1, mismatches: 0, verifiedForMs: null } as const;
const APPLIED = { ...PENDING, pending: 0 } as const;
const VERIFIED = { ...APPLIED, unverified: 0, verifiedForMs: WAIT_MS } as const;
const OPEN = { state: 'open' } as const;
const VERIFYING = { state: 'verifying' } as const;
const CLOSED = { state: 'closed' } as const;

interface Sketch extends Omit<CellSketch, 'run'> {
  readonly idleMs?: number;
  /** The fence is another run's or epoch's, or from before a failover. */
  readonly foreign?: boolean;
}

const decide = (canary: CanaryReading, { idleMs = 0, foreign = false, ...sketch }: Sketch = {}) => {
  const given = run({ canary, idleMs });
  const decision = decideCanary(dc({ stage: 'canary', canaryWaitMs: WAIT_MS }), cell(sketch), given, !foreign);
  return { steps: decision.steps.map(nameStep), holds: decision.holds.map(({ code }) => code) };
};

describe('decideCanary', () => {
  test.each([
    ['opens the fence for a canary that is pending', PENDING, { fence: CLOSED }, ['open_fence open']],
    ['opens it again where it is another one’s', PENDING, { fence: OPEN, foreign: true }, ['open_fence open']],
    ['opens it again where it is open for the verification only', PENDING, { fence: VERIFYING }, ['open_fence open']],
    ['requests one wake-up for it', PENDING, { fence: OPEN }, ['wake apply 1']],
    ['requests one wake-up however much is pending', { ...PENDING, pending: 3 }, { fence: OPEN }, ['wake apply 1']],
    ['closes the fence once it is applied', APPLIED, { fence: OPEN }, ['close_fence']],
    ['opens the fence for its verification', APPLIED, { fence: CLOSED }, ['open_fence verifying']],
    ['opens it anew where it is another one’s', APPLIED, { fence: VERIFYING, foreign: true }, ['open_fence verifying']],
    ['requests one wake-up for the verification', APPLIED, { fence: VERIFYING }, ['wake verify 1']],
    ['closes the fence once it is verified', VERIFIED, { fence: VERIFYING }, ['close_fence']],
    ['closes one that is open still', VERIFIED, { fence: OPEN }, ['close_fence']],
    ['closes one that an older epoch closed', VERIFIED, { fence: { ...CLOSED, epoch: 4n } }, ['close_fence']],
    ['passes it then', VERIFIED, { fence: CLOSED }, ['pass_canary']],
    ['passes a plan that has no canary', { ...VERIFIED, verifiedForMs: null }, { fence: CLOSED }, ['pass_canary']],
    ['fails on a mismatch', { ...VERIFIED, mismatches: 2 }, { fence: CLOSED }, ['fail verification_mismatch']],
    [
      'fails without waiting first',
      { ...VERIFIED, mismatches: 1, verifiedForMs: 0 },
      { fence: CLOSED },
      ['fail verification_mismatch'],
    ],
    ['closes the fence before it fails', { ...VERIFIED, mismatches: 1 }, { fence: VERIFYING }, ['close_fence']],
  ] as const)('%s', (_promise, canary, sketch, steps) => {
    expect(decide(canary, sketch)).toEqual({ steps, holds: [] });
  });

  test('waits between its verification and the rest, to the last millisecond, and shows how long', () => {
    const waiting = { ...VERIFIED, verifiedForMs: WAIT_MS - 1 };
    expect(decide(waiting, { fence: CLOSED })).toEqual({ steps: [], holds: ['canary_wait'] });
    const { holds } = decideCanary(
      dc({ canaryWaitMs: WAIT_MS }),
      cell({ fence: CLOSED }),
      run({ canary: waiting }),
      true,
    );
    expect(holds).toMatchObject([{ value: '1 s', limit: '1 min 30 s', needsPerson: false }]);
  });

  test.each([
    ['wake apply 1', PENDING, OPEN],
    ['wake verify 1', APPLIED, VERIFYING],
  ] as const)(
    '%s: shows what is wrong with its workers, and requests the wake-up all the same',
    (wakeUp, canary, fence) => {
      for (const [sketch, holds] of [
        [{}, []],
        [{ workersAlive: 0, lastError: 'not_permitted' }, ['no_worker']],
        [{ lastError: 'not_permitted' }, ['cell_trouble']],
        [{ idleMs: 120_000 }, []],
        [{ lastError: 'not_permitted', idleMs: 120_001 }, ['cell_trouble', 'stalled']],
      ] as const)
        expect(decide(canary, { fence, ...sketch })).toEqual({ steps: [wakeUp], holds });
    },
  );

  test('decides one thing in every case, and each only in its own', () => {
    for (const each of listCases()) {
      const { canary, fence, foreign } = each;
      const { steps, holds } = decide(canary, { fence, foreign });
      const expected = Object.entries(WHEN).filter(([, so]) => so(each));
      expect({ each, decided: [...steps, ...holds] }).toEqual({ each, decided: expected.map(([decided]) => decided) });
      expect(expected).toHaveLength(1);
    }
  });
});

interface Case {
  readonly canary: CanaryReading;
  readonly fence: Pick<FenceReading, 'state' | 'epoch'>;
  readonly foreign: boolean;
}

const isClosed = ({ fence }: Case): boolean => fence.state === 'closed' && fence.epoch >= 5n;
const isFor = ({ fence, foreign }: Case, state: FenceReading['state']): boolean => !foreign && fence.state === state;
const isApplied = ({ canary }: Case): boolean => canary.pending === 0;
const isVerified = ({ canary }: Case): boolean => canary.pending === 0 && canary.unverified === 0;
const isWaiting = ({ canary }: Case): boolean => canary.verifiedForMs !== null && canary.verifiedForMs < WAIT_MS;

/** Stated the other way round: for each thing that can be decided, exactly when it is. */
const WHEN: Readonly<Record<string, (one: Case) => boolean>> = {
  'open_fence open': (one) => !isApplied(one) && !isFor(one, 'open'),
  'wake apply 1': (one) => !isApplied(one) && isFor(one, 'open'),
  close_fence: (one) => (isVerified(one) ? !isClosed(one) : isApplied(one) && isFor(one, 'open')),
  'open_fence verifying': (one) =>
    isApplied(one) && !isVerified(one) && !isFor(one, 'open') && !isFor(one, 'verifying'),
  'wake verify 1': (one) => isApplied(one) && !isVerified(one) && isFor(one, 'verifying'),
  'fail verification_mismatch': (one) => isVerified(one) && isClosed(one) && one.canary.mismatches > 0,
  canary_wait: (one) => isVerified(one) && isClosed(one) && one.canary.mismatches === 0 && isWaiting(one),
  pass_canary: (one) => isVerified(one) && isClosed(one) && one.canary.mismatches === 0 && !isWaiting(one),
};

function* listCases(): Generator<Case> {
  for (const pending of [0, 1, 2])
    for (const unverified of [0, 1, 2])
      for (const mismatches of [0, 1])
        for (const verifiedForMs of [null, 0, WAIT_MS - 1, WAIT_MS, WAIT_MS + 1])
          for (const state of ['open', 'verifying', 'closed'] as const)
            for (const epoch of [4n, 5n, 6n])
              for (const foreign of epoch === 5n ? [false, true] : [true])
                yield {
                  canary: { passed: false, pending, unverified, mismatches, verifiedForMs },
                  fence: { state, epoch },
                  foreign,
                };
}
