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
  stored: { kind: 'allotment', ...INPUTS, lapsed: false, mark: 'none' },
  found: { kind: 'org', ...INPUTS, agents: 200n, signedUp: 'before_rollout' },
  movement: 'raise',
  beforeTotal: 150_000n,
  afterTotal: 160_000n,
  proposedFloor: null,
  flooredByHand: null,
  card: 'same',
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
    ['propose', { ...lapse, card: 'another' }],
    ['heal', compare({ movement: 'raise', card: 'another' })],
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

  test('never heals by itself what lowers a number', () => {
    const anyOrg = fc.record({
      movement: fc.constantFrom('first', 'same', 'raise', 'fall', 'inputs', null),
      beforeTotal: fc.bigInt(0n, 10n),
      afterTotal: fc.bigInt(0n, 10n),
      card: fc.constantFrom('same', 'another'),
    });
    fc.assert(
      fc.property(anyOrg, ({ movement, beforeTotal, afterTotal, card }) => {
        // the rule calls every lower number a fall
        const named = movement !== null && movement !== 'first' && afterTotal < beforeTotal ? 'fall' : movement;
        const drift = decideDrift(compare({ movement: named, beforeTotal, afterTotal, card }));
        if (drift?.treatment === 'heal' && named !== 'first') expect(afterTotal).toBeGreaterThanOrEqual(beforeTotal);
      }),
    );
  });
});
