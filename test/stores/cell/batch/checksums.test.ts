// Checksums of allotments on a real cell: of the present form and of the one before, for numbers and texts as ids.
import { describe, expect, test } from 'vitest';
import { applyAll, createTestCell, type IdType, makeId, type TestCell } from '../../../support/cell.js';

// each of them changes what the checksum covers; the other terms follow from these by the rule
const CHANGES = {
  edition: `'enterprise'`,
  paid: 'not paid',
  agents: 'agents + 1',
  light_agents: 'light_agents + 1',
  negotiated_limit: 'coalesce(negotiated_limit, 0) + 1',
  additional_credits: 'additional_credits + 1',
  floor: 'coalesce(floor, 0) + 1',
  floor_edition: `'enterprise'`,
  unpaid_since: `coalesce(unpaid_since, '2024-01-01') + 1`,
  total_credits: 'total_credits + 1',
  rate_card: `'another'`,
  origin: `'signup'`,
  run_id: 'run_id + 1',
  version: 'version + 1',
  computed_at: `computed_at + interval '1 microsecond'`,
};

const FORMS = { present: 'checksum_of', earlier: 'earlier_checksum_of' } as const;

const readIntact = async (cell: TestCell, row: string): Promise<readonly boolean[]> =>
  (
    (await cell.sql(`select credit_rollout.is_intact(b) as intact from credit_rollout.allotments a
      cross join lateral jsonb_populate_record(null::credit_rollout.allotments, ${row}) b order by a.org_id`)) as {
      readonly intact: boolean;
    }[]
  ).map(({ intact }) => intact);

describe.each<IdType>(['bigint', 'text'])('an allotment of an org whose id is %s', (idType) => {
  test('is intact with a checksum of either form, and with no column changed', async () => {
    const orgs = [
      { org_id: makeId(1, idType), paid: true, legacy_limit: '150000' },
      { org_id: makeId(2, idType), paid: false },
    ];
    const cell = await createTestCell({ idType, orgs });
    try {
      await applyAll(cell);
      expect(await readIntact(cell, 'to_jsonb(a)')).toEqual([true, true]);
      const written = await cell.sql(
        'select checksum = credit_rollout.checksum_of(a) as same from credit_rollout.allotments a',
      );
      expect(written).toEqual([{ same: true }, { same: true }]);
      for (const form of Object.values(FORMS)) {
        const signed = `to_jsonb(a) || jsonb_build_object('checksum', credit_rollout.${form}(a))`;
        expect(await readIntact(cell, signed), form).toEqual([true, true]);
        for (const [column, value] of Object.entries(CHANGES)) {
          const changed = `${signed} || jsonb_build_object('${column}', ${value})`;
          expect(await readIntact(cell, changed), `${form}: ${column}`).toEqual([false, false]);
        }
        const other = `${signed} || jsonb_build_object('org_id', (select max(o.org_id) from credit_rollout.allotments o where o.org_id <> a.org_id))`;
        expect(await readIntact(cell, other), `${form}: org_id`).toEqual([false, false]);
      }
    } finally {
      await cell.drop();
    }
  });
});
