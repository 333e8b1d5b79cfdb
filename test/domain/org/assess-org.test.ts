import { describe, expect, test } from 'vitest';
import { assessOrg } from '../../../src/domain/org/assess-org.js';
import { createRateCard } from '../../../src/domain/rate-card/create-rate-card.js';
import { GREATEST_STORED, type OrgInputs, QUARANTINE_REASONS } from '../../../src/domain/source/org-inputs.js';
import { sampleCard } from '../rate-card/sample-card.js';
import { makeOrg } from './sample-org.js';

const uncounted = createRateCard({
  ...sampleCard,
  lightAgentsCountAsUsers: false,
  editions: [...sampleCard.editions.values()],
});

/** Every fault, in the order of precedence. */
const FAULTS: readonly [string, Partial<OrgInputs>][] = [
  ['duplicate_id', { duplicated: true }],
  ['null_edition', { edition: null }],
  ['unknown_edition', { edition: 'Standard' }],
  ['null_paid', { paid: null }],
  ['null_agents', { agents: null }],
  ['null_light_agents', { lightAgents: null }],
  ['null_additional_credits', { additionalCredits: null }],
  ['null_created_at', { createdAt: null }],
  ['negative_agents', { agents: -1n }],
  ['negative_light_agents', { lightAgents: -1n }],
  ['negative_additional_credits', { additionalCredits: -1n }],
  ['negative_legacy_limit', { negotiatedLimit: -1n }],
  ['overflow', { negotiatedLimit: GREATEST_STORED + 1n }],
];

describe('assessOrg', () => {
  test.each(FAULTS)('quarantines an org as %s', (reason, fields) => {
    expect(assessOrg(makeOrg(fields), sampleCard)).toEqual({ kind: 'undecidable', reason });
  });

  test('knows every reason, in the order of precedence', () => {
    expect(FAULTS.map(([reason]) => reason)).toEqual([...QUARANTINE_REASONS]);
  });

  test('names the first of two reasons', () => {
    FAULTS.forEach(([reason, fields], index) => {
      for (const [, later] of FAULTS.slice(index + 1)) {
        const both = makeOrg({ ...later, ...fields });
        expect(assessOrg(both, sampleCard)).toEqual({ kind: 'undecidable', reason });
      }
    });
  });

  test('quarantines an unknown edition of an unpaid org too', () => {
    const unknown = makeOrg({ edition: 'basic', paid: false });
    expect(assessOrg(unknown, sampleCard)).toEqual({ kind: 'undecidable', reason: 'unknown_edition' });
  });

  test('reads missing light agents as none when the card does not count them', () => {
    const assessed = assessOrg(makeOrg({ lightAgents: null }), uncounted);
    expect(assessed).toMatchObject({ kind: 'assessed', lightAgents: 0n, legacyLimit: 150_000n });
  });

  test('rejects negative light agents even when the card does not count them', () => {
    const reason = 'negative_light_agents';
    expect(assessOrg(makeOrg({ lightAgents: -1n }), uncounted)).toEqual({ kind: 'undecidable', reason });
  });

  test('counts light agents as users only when the card counts them', () => {
    const org = makeOrg({ agents: 100n, lightAgents: 50n });
    expect(assessOrg(org, sampleCard)).toMatchObject({ legacyLimit: 75_000n, variableCredits: 25_000n });
    expect(assessOrg(org, uncounted)).toMatchObject({ legacyLimit: 50_000n, variableCredits: 25_000n });
  });

  test('gives the unpaid the credits of the unpaid row and the legacy limit of their own edition', () => {
    const unpaid = assessOrg(makeOrg({ paid: false }), sampleCard);
    const expected = { baseCredits: 5_000n, variableCredits: 0n, concurrencyLimit: 5, legacyLimit: 150_000n, rank: 2 };
    expect(unpaid).toMatchObject(expected);
  });

  test.each([2n ** 31n - 1n, 2n ** 31n, 2n ** 53n + 1n])('multiplies %d agents exactly', (agents) => {
    expect(assessOrg(makeOrg({ agents }), sampleCard)).toMatchObject({ variableCredits: 250n * agents });
  });

  test('grants 2^63-1 exactly and quarantines one more', () => {
    const agents = (GREATEST_STORED - 50_000n) / 250n;
    const additionalCredits = GREATEST_STORED - (50_000n + 250n * agents);
    expect(assessOrg(makeOrg({ agents, additionalCredits }), sampleCard).kind).toBe('assessed');
    const more = assessOrg(makeOrg({ agents, additionalCredits: additionalCredits + 1n }), sampleCard);
    expect(more).toEqual({ kind: 'undecidable', reason: 'overflow' });
  });

  test('keeps users beyond 2^63 below the legacy maximum', () => {
    const users = { edition: 'free', agents: GREATEST_STORED, lightAgents: GREATEST_STORED };
    expect(assessOrg(makeOrg(users), sampleCard)).toMatchObject({ kind: 'assessed', legacyLimit: 5_000n });
    const perUser = makeOrg({ ...users, edition: 'enterprise', paid: false });
    expect(assessOrg(perUser, sampleCard)).toMatchObject({ kind: 'assessed', legacyLimit: 5_000_000n });
  });
});
