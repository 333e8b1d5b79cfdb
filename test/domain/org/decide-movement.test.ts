import { describe, expect, test } from 'vitest';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import { decideMovement } from '../../../src/domain/org/decide-movement.js';
import { makePrior } from './sample-org.js';

const stored = makePrior();

/** Every stored column but the total and the floor, each changed alone. */
const CHANGES: readonly Partial<Allotment>[] = [
  { edition: 'crm_plus' },
  { paid: false },
  { agents: 301n },
  { lightAgents: 1n },
  { negotiatedLimit: 150_000n },
  { baseCredits: 1n },
  { variableCredits: 1n },
  { additionalCredits: 1n },
  { legacyLimit: 1n },
  { floorEdition: 'crm_plus' },
  { unpaidSince: '2026-02-15' },
  { grandfatheredCredits: 1n },
  { concurrencyLimit: 1 },
  { winner: 'credits' },
];

describe('decideMovement', () => {
  test('is same for an equal allotment', () => {
    expect(decideMovement(stored, { ...stored })).toBe('same');
  });

  test.each(CHANGES)('is inputs when only %o differs', (change) => {
    expect(decideMovement(stored, { ...stored, ...change })).toBe('inputs');
  });

  test('tries every stored column', () => {
    const tried = CHANGES.flatMap((change) => Object.keys(change));
    expect([...tried, 'floor', 'totalCredits'].sort()).toEqual(Object.keys(stored).sort());
  });

  test('counts no floor as lower than a floor of zero', () => {
    const none = { ...stored, floor: null, floorEdition: null };
    const zero = { ...stored, floor: 0n };
    expect(decideMovement(none, zero)).toBe('raise');
    expect(decideMovement(zero, none)).toBe('fall');
  });
});
