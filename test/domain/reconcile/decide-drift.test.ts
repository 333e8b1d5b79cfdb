// What is done about one org: nothing falls by itself.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ComparedOrg, decideDrift } from '../../../src/domain/reconcile/decide-drift.js';

const INPUTS = {
  edition: 'standard',
  paid: true,
  agents: 300n,
  lightAgents: 0n,
  additionalCredits: 0n,
  negotiatedLimit: null,
  floor: 150_000n,
} as const;
const compare = (fields: Partial<ComparedOrg> = {}): ComparedOrg => ({
  stored: { kind: 'allotment', ...INPUTS, lapsed: false, mark: 'none', card: 'same', proposedFor: null },
  found: { kind: 'org', ...INPUTS, agents: 200n, signedUp: 'before_rollout' },
  movement: 'raise',
  beforeTotal: 150_000n,
  afterTotal: 160_000n,
  proposedFloor: null,
  flooredByHand: null,
  ownCard: null,
  record: null,
  ...fields,
});
const lapse = compare({
  movement: 'fall',
  afterTotal: 5_000n,
  found: { kind: 'org', ...INPUTS, paid: false, signedUp: 'before_rollout' },
});

describe('decideDrift', () => {
  test.each([
    ['heal', compare()],
    ['heal', compare({ movement: 'inputs' })],
    ['heal', compare({ movement: 'first', beforeTotal: null })],
    ['fall', compare({ movement: 'fall', afterTotal: 100_000n })],
    ['lapse', lapse],
    ['lapse', { ...lapse, ownCard: { movement: 'fall', total: 5_000n } }],
    ['card', compare({ movement: 'fall', afterTotal: 100_000n, ownCard: { movement: 'inputs', total: 150_000n } })],
    ['fall', compare({ movement: 'fall', afterTotal: 100_000n, ownCard: { movement: 'fall', total: 120_000n } })],
    ['propose', compare({ movement: 'fall', afterTotal: 100_000n, record: 'unknown' })],
    ['propose', compare({ movement: 'fall', afterTotal: 100_000n, record: { total: 100_001n, floor: null } })],
    ['fall', compare({ movement: 'fall', afterTotal: 100_000n, record: { total: 100_000n, floor: 150_000n } })],
    ['heal', compare({ movement: 'raise', record: 'unknown' })],
    ['heal', compare({ movement: 'fall', afterTotal: 151_000n })],
    ['gone', compare({ movement: null, found: { kind: 'gone' }, afterTotal: null })],
    ['propose', compare({ movement: 'same', proposedFloor: 7n })],
    ['propose', compare({ movement: 'same', flooredByHand: 7n })],
  ] as const)('decides %s', (treatment, org) => {
    expect(decideDrift(org)).toMatchObject({ treatment });
  });

  test('finds nothing at an org that is as it should be', () => {
    expect(decideDrift(compare({ movement: 'same' }))).toBeUndefined();
  });

  test('keeps the cause of a proposal that stands, and writes the number of the own card where that is higher', () => {
    const stored = { ...compare().stored, proposedFor: 'seats' } as ComparedOrg['stored'];
    expect(decideDrift(compare({ movement: 'same', proposedFloor: 7n, stored }))).toMatchObject({ cause: 'seats' });
    const own = { movement: 'fall', total: 120_000n } as const;
    expect(decideDrift(compare({ movement: 'fall', afterTotal: 100_000n, ownCard: own }))?.afterTotal).toBe(120_000n);
  });

  test('never heals by itself what lowers a number', () => {
    const anyOrg = fc.record({
      movement: fc.constantFrom('first', 'same', 'raise', 'fall', 'inputs', null),
      beforeTotal: fc.bigInt(0n, 10n),
      afterTotal: fc.bigInt(0n, 10n),
      ownCard: fc.constantFrom(null, { movement: 'fall', total: 3n }, { movement: 'inputs', total: 5n }),
      record: fc.constantFrom<ComparedOrg['record']>(null, 'unknown', { total: 3n, floor: null }),
    });
    fc.assert(
      fc.property(anyOrg, ({ movement, beforeTotal, afterTotal, ownCard, record }) => {
        // the rule calls every lower number a fall
        const named = movement !== null && movement !== 'first' && afterTotal < beforeTotal ? 'fall' : movement;
        const drift = decideDrift(compare({ movement: named, beforeTotal, afterTotal, ownCard, record }));
        if (drift?.treatment === 'heal' && named !== 'first') expect(afterTotal).toBeGreaterThanOrEqual(beforeTotal);
      }),
    );
  });
});
