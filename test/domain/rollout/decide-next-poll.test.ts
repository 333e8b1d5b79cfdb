// When a scheduler checks again by itself.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideNextPoll, type KnownInstants } from '../../../src/domain/rollout/decide-next-poll.js';

const NOW = new Date('2025-10-29T18:29:58Z');
const in_ = (ms: number): Date => new Date(NOW.getTime() + ms);
const NOTHING: KnownInstants = {
  notBeforeAt: null,
  bakeUntil: null,
  pausedUntil: null,
  gateEffectiveAt: null,
  gateLatchedAt: null,
};

describe('decideNextPoll', () => {
  test.each([
    ['with nothing ahead it polls as usual', [NOTHING], 4_000],
    ['at the instant of a cut-over', [{ ...NOTHING, gateEffectiveAt: in_(1_700) }], 1_700],
    ['at the end of a bake', [NOTHING, { ...NOTHING, bakeUntil: in_(300) }], 300],
    ['at the end of a pause', [{ ...NOTHING, pausedUntil: in_(700) }], 700],
    ['once a second while a gate is to be latched', [{ ...NOTHING, gateEffectiveAt: in_(-5) }], 1_000],
    ['as usual once it is latched', [{ ...NOTHING, gateEffectiveAt: in_(-5), gateLatchedAt: NOW }], 4_000],
    ['what is over does not hurry it', [{ ...NOTHING, notBeforeAt: in_(-5), bakeUntil: in_(-9) }], 4_000],
  ] as const)('%s', (_promise, all, expected) => {
    expect(decideNextPoll(all, NOW, 4_000)).toBe(expected);
  });

  test('never waits past an instant that lies ahead, and never longer than usual', () => {
    const at = fc.option(fc.integer({ min: -10_000, max: 10_000 }).map(in_));
    const one = fc.record({
      notBeforeAt: at,
      bakeUntil: at,
      pausedUntil: at,
      gateEffectiveAt: at,
      gateLatchedAt: fc.constant(null),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 4 }), (all) => {
        const ms = decideNextPoll(all, NOW, 4_000);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(4_000);
        for (const { gateEffectiveAt } of all)
          if (gateEffectiveAt !== null && gateEffectiveAt > NOW) expect(in_(ms) <= gateEffectiveAt).toBe(true);
      }),
    );
  });
});
