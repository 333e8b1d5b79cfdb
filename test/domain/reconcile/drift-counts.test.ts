import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CAUSES } from '../../../src/domain/reconcile/cause.js';
import { flattenTotals, readTotals, totalDrift } from '../../../src/domain/reconcile/drift-counts.js';
import { DRIFT_MOVEMENTS, DRIFT_OUTCOMES } from '../../../src/domain/reconcile/movement.js';

describe('totalDrift', () => {
  test('adds up, and comes back the same from a row of control', () => {
    const anyCount = fc.record({
      cause: fc.constantFrom(...CAUSES),
      movement: fc.constantFrom(...DRIFT_MOVEMENTS),
      outcome: fc.constantFrom(...DRIFT_OUTCOMES),
      orgs: fc.integer({ min: 1, max: 1_000_000 }),
      proposals: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(anyCount), (counts) => {
        const totals = totalDrift(counts);
        expect(totals.found).toBe(Object.values(totals.causes).reduce((sum, orgs) => sum + orgs, 0));
        expect(readTotals(JSON.parse(JSON.stringify(flattenTotals(totals))))).toEqual(totals);
      }),
    );
  });

  test('reads nothing from a row without them', () => {
    expect(readTotals(null)).toBeUndefined();
    expect(readTotals({ inserted: 5 })).toBeUndefined();
  });
});
