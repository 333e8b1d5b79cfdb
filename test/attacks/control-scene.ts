// What the attacks on control share: a fleet of two data centers, one login for each role, and plans that lie ready.

import type { EngineContext } from '../../src/engine/context.js';
import { CONTROL_ROLES, type ControlRole } from '../../src/stores/control/roles.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../support/person.js';
import { type Attacker, openAttacker } from './attacker.js';

/** `operator2`: a second operator, who is no approver either; `both`: an operator who is an approver too. */
export type ControlLogin = ControlRole | 'operator2' | 'both';

export interface ControlScene {
  readonly fleet: Fleet;
  readonly logins: Readonly<Record<ControlLogin, Attacker>>;
  /** The fleet's engine, as whom control authenticates. */
  engineOf(login: ControlLogin): EngineContext;
  /** Two data centers, in rollout order. */
  readonly dataCenters: readonly [string, string];
  /**
   * SQL that registers the n-th plan of a data center; outside its guard-rails unless `passes`. `counts`: JSON; left
   * out those of a plan that is inside every guard-rail.
   */
  register(
    n: number,
    own?: { readonly dataCenter?: string; readonly passes?: boolean; readonly counts?: string },
  ): string;
  /** The plan's id. */
  planOf(n: number, dataCenter?: string): string;
  /** Runs SQL without the triggers: the past is what it is. */
  past(text: string): Promise<unknown>;
  drop(): Promise<void>;
}

/** What guard-rails measure, of a plan that is inside all of them. */
export const INSIDE = {
  ...{ orgs: 100, touched: 9, quarantined: 0, protectedTouched: 0, paidFalling: 0 },
  ...{ before: '1000', after: '1000', maxRaiseFactor: null, maxFloorOverPlan: null },
} as const;

/** SQL that inserts a run as a scheduler does, which takes its id as an epoch in the same transaction. */
export const underItsEpoch = (run: number, insert: string): string =>
  `update credit_rollout_control.rollout set epoch = ${run}; ${insert}`;

/** `server`: its admin URL, instead of the shared one. */
export async function openControlScene(server?: string): Promise<ControlScene> {
  const fleet = await createFleet({ cells: [{ orgs: [] }, { orgs: [] }], server });
  const crowd: TestPeople = await createPeople(
    fleet,
    ...CONTROL_ROLES.map((role) => ({ name: role, roles: [role] })),
    { name: 'operator2', roles: ['operator'] },
    'both',
  );
  const find = (login: ControlLogin): TestPerson => {
    const person = crowd.people.find(({ name }) => name.startsWith(`${login}_`));
    if (person === undefined) throw new Error(`there is no ${login}`);
    return person;
  };
  const open = (login: ControlLogin): Attacker => openAttacker(find(login).controlUrl, find(login).name);
  // what the cells seal; whoever registers has it from there
  await fleet.control(`create function public.sealed_by_cell(dc text, plan text, digest text, counts text) returns jsonb
    language sql security definer as $$
      select credit_rollout_control.seal(dc, 'plan', jsonb_build_object('plan_id', plan, 'digest', digest,
        'card_hash', 'card', 'snapshot_at', '2026-11-22T14:02:11Z', 'counts', counts::jsonb)) $$`);
  const dataCenters = [fleet.cell(0).dataCenter.id, fleet.cell(1).dataCenter.id] as const;
  const planOf: ControlScene['planOf'] = (n, dataCenter = dataCenters[0]) => `${dataCenter}-${n}`;
  return {
    fleet,
    dataCenters,
    engineOf: (login) => find(login).engine,
    planOf,
    logins: {
      operator: open('operator'),
      operator2: open('operator2'),
      approver: open('approver'),
      viewer: open('viewer'),
      scheduler: open('scheduler'),
      both: open('both'),
    },
    register: (n, { dataCenter = dataCenters[0], passes = false, counts = JSON.stringify(INSIDE) } = {}) =>
      `insert into credit_rollout_control.plans
         (plan_id, data_center, digest, card_hash, author, snapshot_at, counts, rails, cell_seal)
       values ('${planOf(n, dataCenter)}', '${dataCenter}', '${String(n).padStart(64, '0')}', 'card', 'somebody else',
         '2026-11-22T14:02:11Z', '${counts}', '[{"rail": "orgsTouched", "value": "9", "limit": "10", "passes": ${passes}}]',
         public.sealed_by_cell('${dataCenter}', '${planOf(n, dataCenter)}', '${String(n).padStart(64, '0')}',
           '${counts}'))`,
    past: (text) => fleet.control(`set local session_replication_role = replica; ${text}`),
    drop: async () => {
      await crowd.drop();
      await fleet.drop();
    },
  };
}
