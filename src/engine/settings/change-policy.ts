// Proposals to change the policy: made, approved, withdrawn, and audited at every step. Control's database applies an
// approved one in the same statement, and decides who may approve.

import { toChecksSetting } from '../../domain/checks/check-limit.js';
import { parseSetting } from '../../domain/config/parse-setting.js';
import {
  isSameValue,
  PINNED_SETTINGS,
  type Policy,
  type SettingValue,
  toSections,
} from '../../domain/config/policy.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { advise, command } from '../../kernel/advice.js';
import { showChangeId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { identifyPerson } from '../../stores/control/person.js';
import {
  findPolicyChange,
  insertPolicyChange,
  listPolicyChanges,
  type PolicyChange,
  readPolicy,
  savePolicyDecision,
} from '../../stores/control/policy.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { requireSecondPerson } from '../two-person-rule.js';
import { findPolicyDifferences } from './compare-policy.js';

export type { PolicyChange } from '../../stores/control/policy.js';

/** A value as a person writes it, or every value that a configuration writes otherwise. */
export type ChangeSpec =
  | { readonly kind: 'value'; readonly name: string; readonly value: string }
  | { readonly kind: 'from_config'; readonly config: RolloutConfig };

/** What would change, before it is proposed. */
export interface PlannedChange {
  readonly name: string;
  readonly fromValue: SettingValue;
  readonly toValue: SettingValue;
}

type ChangeContext = Pick<EngineContext, 'control' | 'actor'>;

/** Writes nothing. Throws setting_unknown, setting_refused, setting_open, and what parseSetting throws. */
export function planPolicyChanges(context: ChangeContext, spec: ChangeSpec): Promise<readonly PlannedChange[]> {
  return context.control.inTransaction((tx) => planChanges(tx, spec));
}

/**
 * One proposal for each setting. Where one login is for everybody, its author approves it at once, since nobody else
 * could. Throws what planPolicyChanges throws.
 */
export async function proposePolicyChanges(
  context: ChangeContext & Pick<EngineContext, 'wakeUps'>,
  spec: ChangeSpec,
  reason: string,
): Promise<readonly PolicyChange[]> {
  const changes = await context.control.inTransaction(async (tx) => {
    const person = await identifyPerson(tx, context.actor);
    const made: PolicyChange[] = [];
    for (const { name, toValue } of await planChanges(tx, spec)) {
      const proposed = await insertPolicyChange(tx, { name, toValue, reason });
      await auditChange(tx, proposed, reason);
      made.push(person.knownBy === 'machine' ? await applyChange(tx, proposed, reason) : proposed);
    }
    return made;
  });
  await context.wakeUps.wakeSchedulers();
  return changes;
}

async function planChanges(tx: ControlTransaction, spec: ChangeSpec): Promise<readonly PlannedChange[]> {
  const policy = await readPolicy(tx);
  if (policy.size === 0)
    throw new RolloutError('not_initialised', { message: 'The control database has no policy yet.' });
  const planned = spec.kind === 'value' ? [planOne(policy, spec)] : await planFromConfig(tx, spec.config);
  const pinned = (await readRollout(tx)).pinnedAt !== null;
  const open = await listPolicyChanges(tx, 'open');
  for (const { name } of planned) {
    if (pinned && PINNED_SETTINGS.includes(name)) throw pinnedBefore(name);
    const other = open.find((change) => change.name === name);
    if (other !== undefined) throw openBefore(other);
  }
  return planned;
}

function planOne(policy: Policy, spec: Extract<ChangeSpec, { kind: 'value' }>): PlannedChange {
  const { name, value } = toChecksSetting(spec.name, spec.value, toSections(policy).rollout.checks) ?? spec;
  const toValue = parseSetting(policy, name, value);
  const fromValue = policy.get(name) ?? null;
  if (!isSameValue(fromValue, toValue)) return { name, fromValue, toValue };
  throw new RolloutError('setting_refused', {
    message: `The setting ${name} has this value already.`,
    next: 'Nothing is to be done.',
  });
}

async function planFromConfig(tx: ControlTransaction, config: RolloutConfig): Promise<readonly PlannedChange[]> {
  const differences = await findPolicyDifferences(tx, config);
  return differences.map(({ name, configured, inForce }) => ({ name, fromValue: inForce, toValue: configured }));
}

const pinnedBefore = (name: string): RolloutError =>
  new RolloutError('setting_refused', {
    message: `The setting ${name} cannot change: the first apply has pinned its instants.`,
    next:
      name === 'signups.cutover'
        ? advise`Move the cut-over of a data center: ${command('cutover postpone --dc ID --to WHEN --reason TEXT')}`
        : 'The pinned instants stay.',
  });

const openBefore = (change: PolicyChange): RolloutError =>
  new RolloutError('setting_open', {
    message: `The setting ${change.name} has the change ${showChangeId(change.changeId)} of "${change.author}", which waits for its approval.`,
    next: advise`Let a second person run: ${command`approve ${showChangeId(change.changeId)}`}; or withdraw it: ${command`settings withdraw ${showChangeId(change.changeId)} --reason TEXT`}`,
  });

/** Throws change_unknown, change_decided, same_person, setting_refused when its setting has changed since. */
export async function approvePolicyChange(
  context: ChangeContext & Pick<EngineContext, 'wakeUps'>,
  changeId: bigint,
  reason: string | null,
): Promise<PolicyChange> {
  const applied = await context.control.inTransaction(async (tx) => {
    const person = await identifyPerson(tx, context.actor);
    const change = await getOpenChange(tx, changeId);
    if (person.knownBy === 'login') requireSecondPerson(`The change ${showChangeId(changeId)}`, change.author, person);
    return applyChange(tx, change, reason);
  });
  await context.wakeUps.wakeSchedulers();
  return applied;
}

/** Throws change_unknown, change_decided. */
export function withdrawPolicyChange(context: ChangeContext, changeId: bigint, reason: string): Promise<PolicyChange> {
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const change = await getOpenChange(tx, changeId);
    const withdrawn = await savePolicyDecision(tx, changeId, 'withdrawn', reason);
    if (withdrawn === undefined) throw decidedBefore(change);
    await auditChange(tx, withdrawn, reason);
    return withdrawn;
  });
}

async function getOpenChange(tx: ControlTransaction, changeId: bigint): Promise<PolicyChange> {
  const change = await findPolicyChange(tx, changeId);
  if (change === undefined)
    throw new RolloutError('change_unknown', { message: `The policy has no change ${showChangeId(changeId)}.` });
  if (change.state !== 'proposed') throw decidedBefore(change);
  return change;
}

async function applyChange(tx: ControlTransaction, change: PolicyChange, reason: string | null): Promise<PolicyChange> {
  const { name, fromValue } = change;
  const value = (await readPolicy(tx)).get(name) ?? null;
  if (!isSameValue(value, fromValue) || (PINNED_SETTINGS.includes(name) && (await readRollout(tx)).pinnedAt !== null))
    throw new RolloutError('setting_refused', {
      message: `The change ${showChangeId(change.changeId)} is outdated: ${name} was changed or pinned since.`,
      next: advise`Withdraw it: ${command`settings withdraw ${showChangeId(change.changeId)} --reason TEXT`}`,
    });
  const applied = await savePolicyDecision(tx, change.changeId, 'applied');
  if (applied === undefined) throw decidedBefore(change);
  await auditChange(tx, applied, reason);
  return applied;
}

function decidedBefore({ changeId, state, approver }: PolicyChange): RolloutError {
  const by = approver === null ? '' : `, approved by "${approver}"`;
  return new RolloutError('change_decided', {
    message: `The change ${showChangeId(changeId)} was ${state} already${by}.`,
  });
}

const ACTIONS = {
  proposed: 'propose_setting',
  applied: 'change_setting',
  withdrawn: 'withdraw_setting',
} as const satisfies Record<PolicyChange['state'], string>;

function auditChange(tx: ControlTransaction, change: PolicyChange, reason: string | null): Promise<void> {
  const { changeId, state, name, fromValue: from, toValue: to, author, alone } = change;
  const details = { change: showChangeId(changeId), setting: name, from, to, author, ...(alone && { alone }) };
  return appendAudit(tx, { action: ACTIONS[state], reason, details });
}
