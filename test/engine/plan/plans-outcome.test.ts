// A plan shown again: its report as it was made, measured against what its run then did.
import { afterEach, describe, expect, test } from 'vitest';
import { loadStoredReport, type ReportQuestion } from '../../../src/engine/plan/load-stored-report.js';
import type { Fleet } from '../../support/fleet.js';
import { dropAll, makeFleet, plan } from './plans-scene.js';

afterEach(dropAll);

const loadReport = (fleet: Fleet, planId: string, stale: ReportQuestion['stale'] = 'none') =>
  loadStoredReport(fleet.engine, { planId, config: fleet.config, stale });

describe('loadStoredReport', () => {
  test('gives the report again as it was made', async () => {
    const fleet = await makeFleet();
    const made = await fleet.plan(fleet.cell(0));
    const { report, approvals, outcome, stale } = await loadReport(fleet, made.planId ?? '');
    expect(report).toEqual(made);
    expect({ approvals, outcome, stale }).toEqual({ approvals: [], outcome: null, stale: null });
  });

  test('reads the guard-rails as they are configured now', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    const rollout = { ...fleet.config.rollout, guardRails: { quarantinedShare: 0.01, orgsTouched: 10 } };
    const { report } = await loadStoredReport(fleet.engine, { planId, config: { rollout }, stale: 'none' });
    expect(report.rails.find(({ rail }) => rail === 'orgsTouched')).toMatchObject({ passes: false, limit: '10 orgs' });
  });

  test('measures a run that did what was planned', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    const { report, approvals, outcome } = await loadReport(fleet, planId);
    const [row] = await fleet
      .cell(0)
      .sql('select count(*)::int as orgs, sum(total_credits)::text as credits from credit_rollout.allotments');
    expect(outcome).toMatchObject({
      state: 'done',
      predicted: { touched: 497, credits: report.counts.after },
      actual: { touched: row?.orgs, credits: row?.credits, stale: 0, quarantined: 3 },
    });
    expect([outcome?.predicted.short, outcome?.actual.refused]).toEqual([0, null]);
    await fleet.cell(0).sql(`insert into credit_rollout.usage_days
      select a.org_id, current_date - d.ago, d.model, 1, 1, 0, 0, d.refused, 0, 0, '{}'
      from (select org_id from credit_rollout.allotments where paid order by org_id limit 1) a,
      (values (9, 'legacy', 0), (1, 'credits', 3)) d (ago, model, refused)`);
    expect((await loadReport(fleet, planId)).outcome?.actual.refused).toBe(1);
    expect(outcome?.predicted.credits).toBe(outcome?.actual.credits);
    expect(outcome?.actual.durationMs).toBeGreaterThan(0);
    expect(approvals).toMatchObject([{ state: 'used', kind: 'guard_rails' }]);
  });

  test('predicts the credits of the orgs that are written, not of all', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await fleet.applyPlan(cell, await plan(fleet));
    await fleet.drive();
    await cell.sql('update public.orgs set agents = 5000 where org_id = 4');
    const second = await plan(fleet);
    await fleet.applyPlan(cell, second);
    expect(await fleet.drive()).toEqual(['done']);
    const [row] = await cell.sql(
      'select total_credits::text as credits from credit_rollout.allotments where org_id = 4',
    );
    expect((await loadReport(fleet, second)).outcome).toMatchObject({
      predicted: { touched: 1, credits: row?.credits },
      actual: { touched: 1, credits: row?.credits },
    });
  });

  test('lists the orgs that changed before they were written, with both inputs and exact numbers', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const planId = await plan(fleet);
    await cell.sql('update public.orgs set legacy_limit = 999999999999999 where org_id = 150');
    await cell.sql(`update public.orgs set edition = 'gone bad' where org_id = 151`);
    await cell.sql('delete from public.orgs where org_id = 250');
    await fleet.applyPlan(cell, planId);
    expect(await fleet.drive()).toEqual(['done']);
    const { stale, outcome } = await loadReport(fleet, planId, 'all');
    const { orgs, listed } = stale ?? { orgs: 0, listed: [] };
    expect(orgs).toBe(listed.length);
    expect(listed.find(({ orgId }) => orgId === '150')).toMatchObject({
      reason: 'changed',
      planned: { legacy_limit: null },
      found: { legacy_limit: '999999999999999', paid: expect.any(Boolean) },
      settled: 'applied',
    });
    expect(listed.find(({ orgId }) => orgId === '250')).toMatchObject({ reason: 'gone', found: null });
    expect(outcome?.actual.stale).toBe(0);
    expect((await loadReport(fleet, planId, 1)).stale).toMatchObject({ orgs, listed: { length: 1 } });
    expect((await loadReport(fleet, planId)).stale).toBeNull();
  });

  test.each(['nonsense', 'in-0', ''])('rejects the name %o', async (planId) => {
    const fleet = await makeFleet({ orgs: 1 });
    await expect(loadReport(fleet, planId)).rejects.toMatchObject({ code: 'plan_unknown' });
  });

  test('rejects a number that its cell does not hold', async () => {
    const fleet = await makeFleet({ orgs: 1 });
    const planId = `${fleet.cell(0).dataCenter.id}-99`;
    await expect(loadReport(fleet, planId)).rejects.toMatchObject({ code: 'plan_unknown' });
  });
});
