// `settings`: the policy that judges every rollout. Shows it, proposes a change of it, withdraws one. `approve` puts a
// change in force.

import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import {
  type ChangeSpec,
  planPolicyChanges,
  proposePolicyChanges,
  withdrawPolicyChange,
} from '../../engine/settings/change-policy.js';
import { readSettings } from '../../engine/settings/read-settings.js';
import { command } from '../../kernel/advice.js';
import { withWholeTexts } from '../../kernel/printable.js';
import { parseChangeId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import {
  changeDocument,
  nextAfterChange,
  settingsDocument,
  showPlannedChange,
  showPolicyChange,
  showSettings,
} from '../views/show-settings.js';

export interface ProposeSettingFlags {
  readonly name?: string | undefined;
  readonly value?: string | undefined;
  readonly fromConfig?: boolean;
  readonly execute?: boolean;
}

/** The audit must hold why the policy changed. */
const CHANGE = 'A change of the policy';

/** Differences of the configuration are what this command is for: it never refuses them. */
const KEPT = { policy: 'kept' } as const;

export function runShowSettings(session: CliSession): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine }) => {
    const settings = await readSettings(engine);
    session.report(
      settingsDocument(settings),
      showSettings(withWholeTexts(settings), session.commands, session.width()),
    );
    return 0;
  });
}

export function runProposeSetting(session: CliSession, flags: ProposeSettingFlags): Promise<number> {
  const choose = chooseSpec(flags);
  const reason = flags.execute ? getReason(session, CHANGE) : '';
  return withProgram(session, KEPT, async ({ engine, config }) => {
    const spec = choose(config);
    if (!flags.execute) return preview(session, await planPolicyChanges(engine, spec), flags);
    const changes = await proposePolicyChanges(engine, spec, reason);
    const [first] = changes;
    const next = session.commands.show(first === undefined ? command('settings') : nextAfterChange(first));
    const alone = changes.some((change) => change.alone);
    const note = alone
      ? 'In force now: on the embedded servers one person may propose and approve, and the audit says so.'
      : 'Nothing changes until a second person approves it.';
    session.report(
      { executed: true, changes: changes.map(changeDocument), next },
      changes.length === 0
        ? NOTHING
        : [
            ...withWholeTexts(changes).map((one) => `${alone ? '✔' : '·'} ${showPolicyChange(one)}`),
            note,
            `Next: ${next}`,
          ].join('\n'),
    );
    return 0;
  });
}

const NOTHING = 'The configuration writes what the policy has: nothing would change.';

function chooseSpec({ name, value, fromConfig }: ProposeSettingFlags): (config: RolloutConfig) => ChangeSpec {
  if (fromConfig && name === undefined) return (config) => ({ kind: 'from_config', config });
  if (!fromConfig && name !== undefined && value !== undefined) return () => ({ kind: 'value', name, value });
  throw new RolloutError('invalid_argument', {
    message: 'A change of the policy takes either NAME and VALUE, or --from-config.',
    next: 'Give one of them.',
  });
}

function preview(
  session: CliSession,
  planned: Awaited<ReturnType<typeof planPolicyChanges>>,
  { name, value }: ProposeSettingFlags,
): number {
  const what = name === undefined ? command('--from-config') : command`${name} ${value ?? ''}`;
  const next =
    planned.length === 0 ? null : session.commands.show(command`settings propose ${what} --execute --reason TEXT`);
  session.report(
    { executed: false, changes: planned, next },
    next === null
      ? NOTHING
      : [...withWholeTexts(planned).map(showPlannedChange), `Nothing was changed. To propose it: ${next}`].join('\n'),
  );
  return planned.length > 0 && session.options.exitCode ? 2 : 0;
}

export function runWithdrawSetting(session: CliSession, id: string): Promise<number> {
  const reason = getReason(session, CHANGE);
  const changeId = parseChangeId(id);
  if (changeId === undefined)
    throw new RolloutError('invalid_argument', {
      message: `"${id}" is not the id of a change of the policy.`,
      next: 'Write one such as s3.',
    });
  return withProgram(session, KEPT, async ({ engine }) => {
    const withdrawn = await withdrawPolicyChange(engine, changeId, reason);
    const next = session.commands.show('settings');
    session.report(
      { ...changeDocument(withdrawn), next },
      `✔ ${showPolicyChange(withWholeTexts(withdrawn))}\nNext: ${next}`,
    );
    return 0;
  });
}
