// The policy for people and for programs: each setting, where it comes from, and the changes that wait.

import { type SettingValue, showSetting } from '../../domain/config/policy.js';
import type { PlannedChange, PolicyChange } from '../../engine/settings/change-policy.js';
import type { SettingReport, SettingsReport } from '../../engine/settings/read-settings.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import { showChangeId } from '../../kernel/proposal-id.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showUtc } from '../terminal/numbers.js';
import { type Column, indent, layOutTable } from '../terminal/table.js';
import { showWithdrawal } from './show-withdrawal.js';

// a key is copied
const COLUMNS: readonly Column[] = [
  { title: 'SETTING', kept: 'whole' },
  { title: 'VALUE' },
  { title: 'SINCE (UTC)' },
  { title: 'FROM' },
];

export function showSettings(
  { settings, open, withdrawn, schedulersDiffer }: SettingsReport,
  commands: CommandNames,
  width: number,
): string {
  return [
    ...layOutTable(
      COLUMNS,
      settings.map((one) => [one.name, showValue(one.name, one.value), showUtc(one.setAt), showOrigin(one)]),
      width,
    ),
    ...(open.length === 0
      ? []
      : ['Changes that wait for somebody else than their author:', ...indent(open.map(showPolicyChange))]),
    ...open.slice(0, 1).map(({ changeId }) => `Next: ${commands.show(command`approve ${showChangeId(changeId)}`)}`),
    ...(withdrawn.length === 0 ? [] : ['Withdrawn last:', ...indent(withdrawn.map(showPolicyChange))]),
    ...(schedulersDiffer.length === 0
      ? []
      : [`! a scheduler has another configuration, and uses the policy: ${schedulersDiffer.join(', ')}`]),
  ].join('\n');
}

/** What it means that nobody set a limit. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'reconcile.maxChanged': 'a tenth, at least 100',
  'reconcile.maxLapsed': '1 %, at least 10',
};

const showValue = (name: string, value: SettingValue): string =>
  (value === null ? DEFAULTS[name] : undefined) ?? showSetting(value);

const showOrigin = ({ setBy, change }: SettingReport): string =>
  change === null
    ? `init by ${showName(setBy)}`
    : `${showChangeId(change.changeId)}, ${showPeople(change)}: ${change.reason}`;

/** `s3: rollout.bake from PT0S to PT12H, applied; proposed by alice, approved by bob: reason`. */
export const showPolicyChange = (change: PolicyChange): string =>
  `${showChangeId(change.changeId)}: ${describeChange(change)}, ${change.state}; ${showPeople(change)}: ${change.reason}` +
  showWithdrawal(change);

export const showPlannedChange = (change: PlannedChange): string => `· ${describeChange(change)}`;

const describeChange = ({ name, fromValue, toValue }: PlannedChange): string =>
  `${name} from ${showValue(name, fromValue)} to ${showValue(name, toValue)}`;

function showPeople({ author, approver, alone }: PolicyChange): string {
  if (alone) return `proposed and approved by ${showName(author)} alone`;
  return `proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}`;
}

/** What a cell keeps of the policy is written there by init. */
const IN_CELLS = /^(?:dataCenters\..+\.(?:zone|source)|grandfathering\.lapseGrace)$/u;

export function nextAfterChange({ changeId, name, state }: PolicyChange): CommandText {
  if (state === 'proposed') return command`approve ${showChangeId(changeId)}`;
  return state === 'applied' && IN_CELLS.test(name) ? command('init') : command('settings');
}

export function changeDocument(change: PolicyChange): Readonly<Record<string, unknown>> {
  return { ...change, changeId: showChangeId(change.changeId) };
}

export function settingsDocument({
  settings,
  open,
  withdrawn,
  schedulersDiffer,
}: SettingsReport): Readonly<Record<string, unknown>> {
  return {
    settings: settings.map(({ change, changeId: _, ...setting }) => ({
      ...setting,
      change: change === null ? null : changeDocument(change),
    })),
    open: open.map(changeDocument),
    withdrawn: withdrawn.map(changeDocument),
    schedulersDiffer,
  };
}
