// The limit of a check in one data center, as one operator sets it: stricter than the policy, or looser for two hours.
// A scheduler brings it into the cell, sealed by control. What stays looser is a change of the policy.
import { type CheckSpec, toCheck } from '../../domain/checks/check.js';
import { decideLimit, type LimitDecision, readChecksAt, rejectUnknownCheck } from '../../domain/checks/check-limit.js';
import { toSections } from '../../domain/config/policy.js';
import { appendAudit } from '../../stores/control/audit.js';
import {
  type CheckLimit,
  endCheckLimits,
  listCheckLimits,
  listChecksInForce,
  saveCheckLimit,
} from '../../stores/control/check-limits.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { readPolicy } from '../../stores/control/policy.js';
import type { EngineContext } from '../context.js';
import { getDataCenter, lockKnownDataCenter, rejectChanged, type SeenRevision } from '../data-center.js';

export type { CheckLimit } from '../../stores/control/check-limits.js';

export interface CheckLimitRequest extends SeenRevision {
  readonly dataCenter: string;
  /** Of the check. */
  readonly name: string;
  /** As the person wrote it; null: what was set is taken back. */
  readonly value: string | null;
  /** Looser than the policy, for two hours. */
  readonly emergency: boolean;
}

/** A check in one data center. */
export interface CheckLimitReport {
  readonly dataCenter: string;
  readonly revision: number;
  readonly name: string;
  /** In force, in ms for a time; null: it is off, or its query returns true or false. */
  readonly limit: number | null;
  readonly isOff: boolean;
  /** Of the policy, likewise. */
  readonly ofPolicy: { readonly limit: number | null; readonly isOff: boolean };
  /** What operators set of it. */
  readonly set: readonly CheckLimit[];
}

type Control = Pick<EngineContext, 'control'>;

/** The checks of a data center, or the one that is named. Throws unknown_data_center, setting_unknown. */
export const readCheckLimits = (
  { control }: Control,
  dataCenter: string,
  name?: string,
): Promise<readonly CheckLimitReport[]> =>
  control.inTransaction(async (tx) =>
    name === undefined ? loadReports(tx, dataCenter) : [await loadReport(tx, dataCenter, name)],
  );

export const listAllCheckLimits = ({ control }: Control, name?: string): Promise<readonly CheckLimitReport[]> =>
  control.inTransaction(async (tx) => {
    const reports: CheckLimitReport[] = [];
    for (const { id } of await listDataCenters(tx))
      reports.push(...(name === undefined ? await loadReports(tx, id) : [await loadReport(tx, id, name)]));
    return reports;
  });

/** What the command would set. Changes nothing. Throws what setCheckLimit throws, but revision_changed. */
export const previewCheckLimit = (
  { control }: Control,
  request: CheckLimitRequest,
): Promise<{ readonly now: CheckLimitReport; readonly decision: LimitDecision | null }> =>
  control.inTransaction(async (tx) => ({
    now: await loadReport(tx, request.dataCenter, request.name),
    decision: await decide(tx, request),
  }));

/** Throws unknown_data_center, revision_changed, setting_unknown, setting_refused, invalid_argument. */
export async function setCheckLimit(
  context: Pick<EngineContext, 'control' | 'wakeUps' | 'actor'>,
  request: CheckLimitRequest & { readonly reason: string },
): Promise<CheckLimitReport> {
  const report = await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    return saveLimit(tx, request);
  });
  await context.wakeUps.wakeSchedulers();
  return report;
}

async function saveLimit(
  tx: ControlTransaction,
  request: CheckLimitRequest & { readonly reason: string },
): Promise<CheckLimitReport> {
  const { dataCenter, name, reason } = request;
  rejectChanged(await lockKnownDataCenter(tx, dataCenter), request);
  const before = await loadReport(tx, dataCenter, name);
  const decision = await decide(tx, request);
  // what is stricter ends what is looser: a person who asks for less gets less at once
  if (decision?.kind !== 'loosened') await endCheckLimits(tx, dataCenter, name);
  if (decision !== null) await saveCheckLimit(tx, { dataCenter, name, ...decision, reason });
  const after = await loadReport(tx, dataCenter, name);
  const until = after.set.find(({ kind }) => kind === 'loosened')?.until ?? null;
  await appendAudit(tx, {
    action: decision === null ? 'unset_check' : decision.kind === 'tightened' ? 'set_check' : 'loosen_check',
    dataCenter,
    reason,
    details: { setting: `checks.${name}`, from: toAudited(before), to: toAudited(after), until },
  });
  return after;
}

const toAudited = ({ limit, isOff }: CheckLimitReport): number | 'off' | null => (isOff ? 'off' : limit);

async function decide(
  tx: ControlTransaction,
  { dataCenter, name, value, emergency }: CheckLimitRequest,
): Promise<LimitDecision | null> {
  if (value === null) return null;
  return decideLimit({ dataCenter, name, value, emergency, policy: await readPolicyChecks(tx) });
}

const readPolicyChecks = async (tx: ControlTransaction): Promise<readonly CheckSpec[]> =>
  toSections(await readPolicy(tx)).rollout.checks;

async function loadReport(tx: ControlTransaction, dataCenter: string, name: string): Promise<CheckLimitReport> {
  rejectUnknownCheck(name, await readPolicyChecks(tx));
  const found = (await loadReports(tx, dataCenter)).find((report) => report.name === name);
  if (found !== undefined) return found;
  const { revision } = await getDataCenter(tx, dataCenter);
  return { dataCenter, revision, name, limit: null, isOff: true, ofPolicy: OFF, set: [] };
}

const OFF = { limit: null, isOff: true } as const;

async function loadReports(tx: ControlTransaction, dataCenter: string): Promise<readonly CheckLimitReport[]> {
  const { revision } = await getDataCenter(tx, dataCenter);
  const policy = await readPolicyChecks(tx);
  const set = (await listCheckLimits(tx)).filter((limit) => limit.dataCenter === dataCenter);
  const inForce = (await listChecksInForce(tx))(dataCenter);
  const now = await readControlClock(tx);
  return inForce.map(({ name }) => ({
    ...{ dataCenter, revision, name, set: set.filter((limit) => limit.name === name) },
    ...toLimit(readChecksAt(inForce, now), name),
    ofPolicy: toLimit(policy, name),
  }));
}

function toLimit(specs: readonly CheckSpec[], name: string): Pick<CheckLimitReport, 'limit' | 'isOff'> {
  const spec = specs.find((one) => one.name === name);
  return spec === undefined ? OFF : { limit: toCheck(spec).limit, isOff: false };
}
