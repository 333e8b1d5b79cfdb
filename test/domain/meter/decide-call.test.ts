// Whether a call is allowed: what holds for every state, limit and price, and the cases where units meet.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CallLimits,
  type DayState,
  decideCall,
  ENFORCEMENTS,
  findDayLimit,
  sumUsed,
} from '../../../src/domain/meter/decide-call.js';
import { METER_MODELS } from '../../../src/domain/meter/usage.js';

const count = fc.nat(20);
const limit = fc.option(count, { nil: null });
const model = fc.constantFrom(...METER_MODELS);
const limits: fc.Arbitrary<CallLimits> = fc.record({
  model,
  capacity: limit,
  concurrency: limit,
  enforceCredits: fc.constantFrom(...ENFORCEMENTS),
  enforceConcurrency: fc.constantFrom(...ENFORCEMENTS),
});
const state: fc.Arbitrary<DayState> = fc.record({
  model,
  capacity: limit,
  otherCapacity: limit,
  calls: count,
  credits: count,
  callsGivenBack: count,
  creditsGivenBack: count,
  inFlight: count,
});

test('a day whose model changes, and changes back, is held to the larger number of both units', () => {
  fc.assert(
    fc.property(state, limits, (of, held) => {
      const total = findDayLimit(of, held);
      const numbers = of.model === held.model ? [held.capacity, of.otherCapacity ?? 0] : [held.capacity, of.capacity];
      expect(total).toBe(numbers.includes(null) ? null : Math.max(...numbers.map(Number)));
    }),
  );
});

describe('decideCall', () => {
  test('refuses for credits only what would exceed the limit of the day, and then always', () => {
    fc.assert(
      fc.property(state, limits, count, (of, held, credits) => {
        const total = findDayLimit(of, held);
        const price = of.model === 'legacy' ? 1 : credits;
        const over = total !== null && sumUsed(of) + price > total;
        const { verdict, shadow } = decideCall(of, held, credits);
        expect(verdict === 'credits').toBe(over && held.enforceCredits === 'on');
        if (shadow === 'credits') expect(over && held.enforceCredits === 'shadow').toBe(true);
      }),
    );
  });

  test('never holds a legacy org to calls at once, nor one on a day that began as legacy', () => {
    fc.assert(
      fc.property(state, limits, count, (of, held, credits) => {
        if (of.model === 'credits' && held.model === 'credits') return;
        const { verdict, shadow } = decideCall(of, held, credits);
        expect([verdict, shadow]).not.toContain('concurrency');
      }),
    );
  });

  test('never refuses more for a higher limit', () => {
    fc.assert(
      fc.property(state, limits, count, count, (of, held, credits, more) => {
        if (decideCall(of, held, credits).verdict !== 'allowed' || held.capacity === null) return;
        const raised = { ...held, capacity: held.capacity + more };
        expect(decideCall(of, raised, credits).verdict).toBe('allowed');
      }),
    );
  });

  test('refuses nothing and shows nothing where enforcement is off', () => {
    fc.assert(
      fc.property(state, limits, count, (of, held, credits) => {
        const off = { ...held, enforceCredits: 'off', enforceConcurrency: 'off' } as const;
        expect(decideCall(of, off, credits)).toEqual({ verdict: 'allowed', shadow: null });
      }),
    );
  });
});
