// Allotments that somebody wrote anew with a checksum that is right: the rule holds for them, and each differs from its
// plan or its record in one thing alone, while the sum stays as it was where it can.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toStoredCard } from '../../../../src/engine/stored-card.js';
import { verifyRange, verifyRule } from '../../../../src/stores/cell/batch/verification.js';
import { insertRateCard } from '../../../../src/stores/cell/org/rates.js';
import { changeCard } from '../../../domain/rate-card/sample-card.js';
import { applyAll, createTestCell, type TestCell, type TestOrg } from '../../../support/cell.js';

const ALL = { lowerId: null, upperId: null };
const NEGOTIATED: TestOrg = { legacy_limit: 250_000 };
/** The same for every edition but professional. */
const otherCard = changeCard((spec) => (spec.edition === 'professional' ? { ...spec, base: spec.base + 1n } : spec));

/** By what differs: the org, and the columns that are written. */
const REWRITTEN: Readonly<Record<string, { readonly org: TestOrg; readonly set: string; readonly unsigned?: true }>> = {
  'edition of the plan': {
    org: NEGOTIATED,
    set: `edition = 'professional', floor_edition = 'professional', base_credits = 75000, variable_credits = 150000,
      grandfathered_credits = 25000, concurrency_limit = 15`,
  },
  'paid of the plan': {
    org: { edition: 'free', agents: 4 },
    set: `paid = false, unpaid_since = '2026-01-01', floor = null, floor_edition = null`,
  },
  'agents of the plan': {
    org: NEGOTIATED,
    set: 'agents = 304, variable_credits = 76000, grandfathered_credits = 124000',
  },
  'light_agents of the plan': { org: NEGOTIATED, set: 'light_agents = 1' },
  'negotiated_limit of the plan': { org: {}, set: 'negotiated_limit = 150000' },
  'version of the record': { org: {}, set: 'version = 2' },
  'rate_card of the run': { org: {}, set: `rate_card = '${otherCard.hash}'` },
  'floor of a first decision': { org: { agents: 100 }, set: 'floor = 40000' },
  'floor_edition of a first decision': { org: {}, set: `floor_edition = 'express'` },
  'a column that only the checksum has': {
    org: {},
    set: `computed_at = computed_at + interval '1 hour'`,
    unsigned: true,
  },
};
const NAMES = Object.keys(REWRITTEN);

let cell: TestCell;
beforeAll(async () => {
  const orgs = Object.values(REWRITTEN).map(({ org }, n) => ({ ...org, org_id: n + 1 }));
  cell = await createTestCell({ orgs: [...orgs, { org_id: 100 }] });
  await applyAll(cell);
  await cell.cell.asOwner((tx) => insertRateCard(tx, toStoredCard(otherCard)));
});
afterAll(() => cell.drop());

describe('an allotment with a checksum that is right', () => {
  test('is found where one thing is other than planned or recorded', async () => {
    const find = () => cell.cell.inTransaction('reader', (tx) => verifyRange(tx, ALL, { runId: null }));
    expect(await find()).toMatchObject({ broken: [], checked: NAMES.length + 1 });
    for (const [n, { set, unsigned }] of Object.values(REWRITTEN).entries())
      await cell.rewritePast(`update credit_rollout.allotments set ${set} where org_id = ${n + 1};
        ${unsigned ? '' : `update credit_rollout.allotments a set checksum = credit_rollout.checksum_of(a) where org_id = ${n + 1}`}`);
    // or the rule would find it, and nothing be said of the comparison
    expect(await cell.cell.inTransaction('reader', (tx) => verifyRule(tx, ALL))).toMatchObject({ broken: [] });
    const { broken } = await find();
    expect(NAMES.filter((_, n) => !broken.includes(String(n + 1)))).toEqual([]);
    expect(broken).toHaveLength(NAMES.length);
  });
});
