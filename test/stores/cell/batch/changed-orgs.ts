// One org for each input, whose source then changes in that input alone. Where an input allows it, the sum stays the
// same: only a comparison of the input itself notices.
import type { TestCell, TestOrg } from '../../../support/cell.js';

/** The column of the source that changes, its org before, and what it becomes. */
const CHANGES: Readonly<Record<string, { readonly org: TestOrg; readonly becomes: string }>> = {
  // a negotiated limit that wins gives the sum
  edition: { org: { legacy_limit: 250_000 }, becomes: `'professional'` },
  // a free org has the same, whether it pays or not
  paid: { org: { edition: 'free', agents: 4 }, becomes: 'false' },
  agents: { org: { legacy_limit: 250_000 }, becomes: '301' },
  light_agents: { org: { legacy_limit: 250_000 }, becomes: '1' },
  // 300 seats give as much
  legacy_limit: { org: {}, becomes: '150000' },
  additional_credits: { org: {}, becomes: '1' },
};

export const CHANGED_ORGS: readonly TestOrg[] = Object.values(CHANGES).map(({ org }, n) => ({ ...org, org_id: n + 1 }));

/** Changes one input of each of these orgs. */
export async function changeEveryInput({ sql }: Pick<TestCell, 'sql'>): Promise<void> {
  for (const [n, [column, { becomes }]] of Object.entries(CHANGES).entries())
    await sql(`update public.orgs set ${column} = ${becomes} where org_id = ${n + 1}`);
}
