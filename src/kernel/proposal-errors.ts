// Part of the registry of errors: plans, approvals, overrides, the cut-over and the policy.
import { advise, command } from './advice.js';
import { type ErrorEntry, entry } from './error-entry.js';

export const PROPOSAL_ERRORS = {
  // plans
  plan_busy: entry(6, 'Another worker is making this plan.', 'It continues by itself.'),
  plan_stopped: entry(1, 'The planning was stopped before its end; no plan was made.', 'Plan again.'),
  plan_edited: entry(5, 'A plan no longer matches its digest.', 'Plan again, and find out who edited it.'),
  quarantine_exceeded: entry(
    5,
    'While its plan is applied, more orgs cannot be decided than the plan had and the guard-rails allow.',
    advise`See them: ${command('quarantine --dc ID')}. Correct the source, then run: ${command('retry --dc ID')}; or plan again.`,
  ),
  plan_expired: entry(
    6,
    'The plan is older than rollout.planRetention, or was made by another version.',
    'Plan again.',
  ),
  plan_source_changed: entry(
    6,
    'The source changed its columns or types after the plan was made.',
    advise`Run: ${command('init')}; then plan again.`,
  ),
  rate_card_changed: entry(
    5,
    'The rates in a cell are not those of their card: rows were edited.',
    'Restore the rows of credit_rollout.rates.',
  ),
  // approvals and overrides
  plan_unknown: entry(1, 'No plan with this id is known, or the run has no plan.', advise`Run: ${command('plans')}`),
  plan_conflict: entry(
    6,
    'Control knows a plan of this id with another digest.',
    'Plan again, which takes the next number.',
  ),
  plan_used: entry(6, 'The plan was applied already; an approval is used once.', 'Plan again.'),
  plan_superseded: entry(6, 'A newer plan of the data center was approved or applied.', 'Plan again.'),
  seal_wrong: entry(
    7,
    'A cell was asked to do what control did not seal for it, or the two have different keys.',
    advise`As the owner of both run: ${command('init')}; then repeat what failed.`,
  ),
  seal_expired: entry(
    6,
    'A seal of control is valid for an hour, and this one is older by the clock of the cell.',
    advise`Repeat what failed; if it fails again compare the clocks: ${command('doctor')}`,
  ),
  seal_used: entry(
    6,
    'The approval was used in the cell before; control may have been restored to an earlier state.',
    'Plan or propose again, and let it be approved again.',
  ),
  same_person: entry(7, 'Author and approver are the same person.', 'Let somebody else approve it.'),
  override_unknown: entry(1, 'The data center has no override with this id.', 'Check the id.'),
  override_open: entry(
    6,
    'The org has an override that waits for its approval.',
    'Let a second person approve that one.',
  ),
  override_decided: entry(6, 'The override was decided already.', 'Propose another one.'),
  override_refused: entry(
    6,
    'The rule would not keep the floor of this override, or there is nothing to override.',
    'Correct the cause that is named, or propose another floor.',
  ),
  // exceptions
  exception_unknown: entry(1, 'The org has no exception that waits for its answer.', 'Check the id of the org.'),
  exception_open: entry(6, 'The org has an exception that waits for its answer.', 'Answer that one first.'),
  exception_waits: entry(
    6,
    'The exception is answered by an override, which waits for its approval.',
    'Let a second person approve that override, or withdraw it.',
  ),
  // repairs
  repair_unknown: entry(1, 'The data center has no such repair that waits for its approval.', 'Propose another one.'),
  repair_refused: entry(
    6,
    'The rule and the record do not say what to put back.',
    'Let the owner of the cell correct the rows that verify names, or let the next nightly run decide them.',
  ),
  // undos
  undo_unknown: entry(1, 'The data center has no such undo that waits.', advise`Run: ${command('undo --dc ID')}`),
  undo_refused: entry(
    6,
    'The data center cannot be undone now; the message says why.',
    'Wait for what is under way, or take the way out that is named.',
  ),
  undo_outdated: entry(
    6,
    'The undo is not what the cell has accepted: something was written since, or it is too old.',
    'Ask for the undo again.',
  ),
  cutover_begun: entry(
    6,
    'The cut-over began before the undo could: nothing was undone.',
    advise`Run: ${command('apply --dc ID --execute')}, which completes it; or: ${command('cutover reverse --dc ID')}`,
  ),
  // the policy
  setting_unknown: entry(1, 'The policy has no setting of this name.', advise`Run: ${command('settings')}`),
  setting_refused: entry(
    6,
    'The setting cannot be changed in this way; the message says why.',
    advise`Run: ${command('settings')}`,
  ),
  setting_open: entry(6, 'A change of this setting waits for approval.', 'Approve that one, or withdraw it.'),
  change_unknown: entry(1, 'The policy has no proposed change with this id.', advise`Run: ${command('settings')}`),
  change_decided: entry(6, 'The change of the policy was decided already.', 'Propose another one.'),
  // falls beyond the limits of a night
  falls_unknown: entry(1, 'The data center has no such proposal to accept falls.', advise`Run: ${command('status')}`),
  falls_open: entry(
    6,
    'The data center has a proposal to accept falls that waits for its approval.',
    'Let a second person approve that one, or withdraw it.',
  ),
  falls_decided: entry(6, 'The proposal to accept falls was decided already.', 'Propose another one.'),
  falls_expired: entry(6, 'The proposal to accept falls is too old to be approved.', 'Withdraw it and propose again.'),
  // a cell that was moved
  adoption_unknown: entry(
    1,
    'The data center has no such proposal to adopt its cell that waits for approval.',
    'Propose it again.',
  ),
  adoption_open: entry(
    6,
    'The data center has a proposal to adopt its cell that waits for its approval.',
    'Let a second person approve that one, or withdraw it.',
  ),
  adoption_refused: entry(
    6,
    'The database cannot be adopted as the cell of the data center; the cause is named.',
    'Correct the cause, or the URL of the data center.',
  ),
  adoption_outdated: entry(
    6,
    'The database has changed since it was proposed to adopt it.',
    'Withdraw the proposal, check the database, and propose it again.',
  ),
  // what a restored control lost of its audit
  audit_cut_unknown: entry(
    1,
    'There is no such proposal to accept a loss of the audit.',
    advise`Run: ${command('audit --verify')}`,
  ),
  audit_cut_open: entry(
    6,
    'A proposal to accept a loss of the audit waits for its approval.',
    'Let a second person approve that one, or withdraw it.',
  ),
  audit_cut_decided: entry(
    6,
    'The proposal to accept a loss of the audit was decided already.',
    advise`Run: ${command('audit --verify')}`,
  ),
  audit_cut_outdated: entry(
    6,
    'Control has lost other heads now than the proposal names.',
    advise`Withdraw it and propose it again: ${command('audit --verify --accept-cut --withdraw --reason TEXT')}`,
  ),
  // the cut-over
  cutover_refused: entry(
    6,
    'The cut-over cannot move or be executed as it was asked for; the reason is shown.',
    advise`Run: ${command('cutover')}`,
  ),
  postponement_unknown: entry(
    1,
    'The data center has no postponement with this id.',
    advise`Run: ${command('cutover')}`,
  ),
  postponement_open: entry(
    6,
    'The data center has a postponement that waits for its approval.',
    'Let a second person approve that one, or withdraw it.',
  ),
  postponement_decided: entry(6, 'The postponement was decided already.', 'Propose another one.'),
  reversal_unknown: entry(1, 'The data center has no reversal with this id.', advise`Run: ${command('cutover')}`),
  reversal_open: entry(
    6,
    'The data center has a reversal that waits for its approval.',
    'Let a second person approve that one, or withdraw it.',
  ),
  reversal_decided: entry(6, 'The reversal was decided already.', 'Propose another one.'),
} as const satisfies Record<string, ErrorEntry>;
