// A scheduler's step that leaves no row in the audit, one after the other, and a queue that is not prepared.
import { listBugs } from './list-bugs.mjs';

const TEST = 'test/engine/scheduler/audit-rows.test.ts';
const CHAIN = 'test/attacks/audit-chain.test.ts';
const HEADS = 'test/attacks/audit-heads.test.ts';
const LOST = 'test/domain/operate/lost-heads.test.ts';
const E = 'src/engine';
const silent = (what, file, find, test = TEST) => ({
  name: `audit row: ${what}`,
  file: `${E}/${file}.ts`,
  find,
  put: find
    .replace('await appendAudit(', 'void (')
    .replace('appendAudit(tx, { action: work', 'void (tx, { action: work')
    .replace("appendAudit(tx, { action: 'forget", "Promise.resolve({ action: 'forget"),
  tests: [test],
});

export const AUDIT = [
  silent('a run that starts', 'rollout/start-run', `await appendAudit(tx, { action: 'activate'`),
  silent('a fence that opens', 'new-epoch', `await appendAudit(tx, { action: 'open_fence'`),
  silent('a fence that closes', 'rollout/open-fence', `await appendAudit(tx, { action: 'close_fence'`),
  silent('a stage', 'rollout/advance-stage', `await appendAudit(tx, { action: 'transition'`),
  silent('the end of a pause', 'rollout/end-pause', `await appendAudit(tx, { action: 'resume'`),
  silent('a gate', 'cutover/apply-gate-step', 'await appendAudit(tx, { action, dataCenter: row.id'),
  silent('a night or sweep', 'reconcile/start-maintenance', 'await appendAudit(tx, { action: kind'),
  silent('the end of a night or sweep', 'reconcile/end-maintenance', 'await appendAudit(tx, {\n      action: `end_'),
  silent('a data center that is rolled out again', 'scheduler/audit-cells', `await appendAudit(tx, { action: 'reopen'`),
  silent('a fence that was left open', 'scheduler/audit-cells', `await appendAudit(tx, { action: 'distrust'`),
  silent('a forgotten run', 'end-forgotten-runs', 'await appendAudit(tx, { ...entry'),
  silent('an undo that its cell does not know', 'undo/start-undo', `await appendAudit(tx, { action: 'drop_undo'`),
  silent('an undo that a cell lost', 'scheduler/audit-cells', `await appendAudit(tx, { action: 'transition'`),
  silent('approvals that are void', 'scheduler/tick', `await appendAudit(tx, { action: 'void_lost_approvals'`),
  silent(
    'plans that are purged',
    'plan/purge-plans',
    `await appendAudit(tx, { action: 'forget_plans'`,
    'test/engine/plan/plans-purge.test.ts',
  ),
  silent(
    'findings that are purged',
    'reconcile/purge-drift',
    `appendAudit(tx, { action: 'forget_drift'`,
    'test/engine/reconcile/purge-drift.test.ts',
  ),
  silent(
    'nights that are purged',
    'reconcile/purge-nights',
    `appendAudit(tx, { action: 'forget_nights'`,
    'test/retention/nights.test.ts',
  ),
  silent('an alarm', 'scheduler/record-due-work', 'await appendAudit(tx, { action: work'),
  ...listBugs('audit', 'src/engine/scheduler/record-audit-heads.ts', HEADS, {
    'cells get no head': ['else if (seal !== undefined) await', 'else if (false) await'],
    'cells go on with a chain that lost what they keep': ['if (!isKnown) log.warn', 'if (false) log.warn'],
  }),
  ...listBugs('audit', 'src/engine/operate/verify-audit.ts', HEADS, {
    'what cells keep is not compared': ['breakByCuts(chain.link, lost)', 'breakByCuts(chain.link, [])'],
    'a cell that cannot be read counts as compared': ['cells.notCompared.length > 0', 'cells.notCompared.length > 99'],
  }),
  ...listBugs('audit', 'src/domain/operate/lost-heads.ts', LOST, {
    'what a person accepted is compared for ever': ['=> !accepted.has(', '=> !new Set().has('],
    'what one cell lost is accepted for every cell': ['`${dataCenter} ${link}:', '`${dataCenter === null} ${link}:'],
  }),
  ...listBugs('audit', 'migrations/control/accepted-cuts.ts', CHAIN, {
    'whoever enters a row accepts a cut': [`if new.action = 'accept_audit_cut' then`, 'if false then'],
    'a cut is accepted in advance': [`if entry.action = 'accept_audit_cut' and exists`, 'if false and exists'],
  }),
  ...listBugs('audit', 'migrations/control/audit-cuts.ts', CHAIN, {
    'whoever may propose approves a cut': [
      "when (new.state = 'accepted') execute function credit_rollout_control.check_second_person();",
      "when (new.state = 'none') execute function credit_rollout_control.check_second_person();",
    ],
    'one person approves their own cut': ['check (approver is null or approver <> author or alone)', 'check (true)'],
    'a login approves its cut under a new name': [
      "when (new.state = 'accepted')\n  execute function credit_rollout_control.check_two_logins",
      "when (new.state = 'none')\n  execute function credit_rollout_control.check_two_logins",
    ],
    'a proposal of a cut changes after it was made': [
      '(new.cut_id, new.parts, new.reason,',
      '(new.cut_id, old.parts, old.reason,',
    ],
    'who was dismissed approves a cut': [
      "initially deferred for each row when (new.state = 'accepted')",
      "initially deferred for each row when (new.state = 'none')",
    ],
    'a cut names heads that are none': ['if fits is not true then', 'if false then'],
  }),
  ...listBugs('audit', 'src/engine/operate/accept-audit-cut.ts', HEADS, {
    'a cut is approved though cells keep other heads now': ['if (!isSameLoss(', 'if (false && !isSameLoss('],
    'a cut is approved though a cell cannot be read': ['if (unread !== undefined) throw', 'if (unread === null) throw'],
    'a second proposal of a cut is made': ['if (open !== null) throw openBefore(open);', ''],
  }),
  ...listBugs('audit', 'src/domain/operate/lost-heads.ts', LOST, {
    'a cut may have lost less than was proposed': ['named.size === now.size && ', ''],
  }),
  ...listBugs('audit', 'migrations/cell/audit-heads.ts', HEADS, {
    'a cell keeps what control did not seal': [`  perform credit_rollout.check_seal(document, 'audit_head');\n`, ''],
    'a cell keeps older heads after newer ones': [
      `coalesce((select max(h.link) from credit_rollout.audit_heads h), 0)`,
      '0',
    ],
  }),
  {
    name: 'queue: five that prepare it at once prepare nothing',
    file: 'jobs/queue/connection.ts',
    find: 'await runMigrations(client);',
    put: 'void client;',
    tests: ['test/faults/postgres-queue.test.ts'],
    only: 'five|once|schema',
  },
];
