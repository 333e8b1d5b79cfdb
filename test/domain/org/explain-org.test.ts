import { describe, expect, test } from 'vitest';
import { explainDecision } from '../../../src/domain/org/explain-org.js';
import { formatCredits } from '../../../src/kernel/format-credits.js';
import { sampleCard } from '../rate-card/sample-card.js';
import { decide, makeOrg } from './sample-org.js';

describe('explainOrg', () => {
  test('shows every term of a grandfathered org with the numbers it came from', () => {
    const decision = decide({ inputs: makeOrg({ additionalCredits: 10_000n }) });
    expect(explainDecision(decision, sampleCard)).toEqual([
      `edition standard (paid), rate card desk-2025-10 ${sampleCard.hash}`,
      'plan credits 125,000 = base 50,000 + 300 agents × 250 = 75,000',
      'legacy limit 150,000 (300 users × 500, at least 25,000, at most 250,000)',
      'floor 150,000 (the number it was promised), recorded with standard. First decision of a paid org from before the cut-over: the floor is its legacy limit.',
      'total 160,000 credits a day = plan 125,000 + grandfathered 25,000 + additional 10,000; the legacy limit wins; 10 concurrent calls',
    ]);
  });

  test('explains which credits an unpaid org gets, and that its legacy limit is not granted', () => {
    const inputs = makeOrg({ edition: 'enterprise', paid: false, agents: 1n, negotiatedLimit: 20_000n });
    const lines = explainDecision(decide({ inputs }), sampleCard);
    expect(lines[0]).toContain('edition enterprise (unpaid: the credits of free)');
    expect(lines[1]).toBe('plan credits 5,000 = base 5,000 + 1 agent × 0 = 0');
    expect(lines[2]).toBe('legacy limit 20,000 (negotiated); not granted to the unpaid');
    expect(lines[3]).toBe('floor none. It is unpaid: no floor is set.');
  });

  test('names a flat legacy limit', () => {
    const lines = explainDecision(decide({ inputs: makeOrg({ edition: 'free' }) }), sampleCard);
    expect(lines[2]).toBe('legacy limit 5,000 (flat for free)');
  });

  test('gives the reason of an undecidable org', () => {
    const lines = explainDecision(decide({ inputs: makeOrg({ agents: null }) }), sampleCard);
    expect(lines).toEqual(['Undecidable: null_agents.', 'It is in quarantine and keeps what it has today.']);
  });
});

describe('formatCredits', () => {
  test.each([
    [0n, '0'],
    [999n, '999'],
    [1_000n, '1,000'],
    [-1_234_567n, '-1,234,567'],
    [2n ** 63n - 1n, '9,223,372,036,854,775,807'],
  ] as const)('writes %d exactly', (number, text) => {
    expect(formatCredits(number)).toBe(text);
  });
});
