// Bugs in what is left: exit codes, seals, the gate, the undo in a cell, quarantine, usage, retention, roles, residency.
import { listBugs } from './list-bugs.mjs';

const M = 'migrations/cell';
const SHOW = 'test/cli/views/show.test.ts';
const SEALS = 'test/attacks/cell-seals.test.ts';
const LATCH = 'test/engine/cutover/gate-latch.test.ts';
const UNDO = 'test/attacks/undo.test.ts';
const OLDER = 'test/engine/undo/older.test.ts';

export const REST = [
  ...listBugs('exit code', 'src/cli/terminal/exit-code.ts', [SHOW, 'test/cli/terminal/exit-code.test.ts'], {
    'what waits hides a mismatch': ['[1, 7, 6, 5, 4,', '[1, 7, 6, 4, 5,'],
    'an aborted data center is a success': [
      `if (dc.stage === 'aborted') return 1;`,
      `if (dc.stage === 'aborted') return 0;`,
    ],
    'orgs in quarantine are not left out': ['(dc.progress?.quarantined ?? 0) + (dc', '(dc'],
    'what waits for a person is healthy': ['needsPerson) ? 4 : 0', 'needsPerson) ? 0 : 0'],
  }),
  ...listBugs('seal', `${M}/seals.ts`, SEALS, {
    'one that was invented is accepted': [`document ->> 'mac' is distinct from expected or document`, 'document'],
    'one of another action is accepted': [` or document ->> 'kind' is distinct from action\n`, '\n'],
    'one of another data center is accepted': [
      `\n     or document ->> 'data_center' is distinct from (select c.data_center from credit_rollout.cell c) then`,
      ' then',
    ],
    'one that has expired is accepted': [
      `if (document ->> 'expires_at')::timestamptz <= clock_timestamp() then`,
      'if false then',
    ],
  }),
  ...listBugs('cut-over', 'src/stores/cell/cutover/gate.ts', LATCH, {
    'it is latched before its instant': [
      'where latched_at is null and effective_at <= c.now',
      'where latched_at is null and effective_at is not null',
    ],
    'it is disarmed after its instant': [
      'where latched_at is null and effective_at > clock_timestamp()',
      'where latched_at is null',
    ],
  }),
  ...listBugs('sweep', 'src/stores/cell/cutover/gate.ts', LATCH, {
    'it ends before the latch by a clock that was set back': [
      'set swept_at = greatest(clock_timestamp(), latched_at)',
      'set swept_at = clock_timestamp()',
    ],
  }),
  ...listBugs('cut-over', `${M}/sealed-changes.ts`, LATCH, {
    'what has begun is armed anew': [
      'where latched_at is null and (effective_at is null or effective_at > moment)',
      'where latched_at is null',
    ],
    'it is armed before now': ['effective_at = greatest(at, moment)', 'effective_at = at'],
  }),
  ...listBugs('undo', `${M}/undo-plans.ts`, UNDO, {
    'paid orgs fall without a second person': [
      'if exists (select from credit_rollout.undo_falls f where f.undo_id = undo) then',
      'if false then',
    ],
    'the seal of another undo is accepted': [
      `(document ->> 'number')::bigint is distinct from undo or document ->> 'digest' is distinct from plan.digest`,
      'false',
    ],
    'a plan with a range that nobody computed is finished': [
      'if exists (select from credit_rollout.undo_ranges r where r.undo_id = undo and r.orgs is null) then',
      'if false then',
    ],
  }),
  ...listBugs('undo', `${M}/undo-older.ts`, OLDER, {
    'a run that was undone is offered again': [` and u.state = 'done')\n`, ` and u.state = 'failed')\n`],
    'what a newer undo put back is a conflict': [`            and not coalesce(c.run_id = any (f.gone), false)\``, '`'],
  }),
  ...listBugs('checks', 'src/stores/cell/batch/checks.ts', 'test/engine/batch/own-wait.test.ts', {
    'our own lanes count as others': [' * 1000) - ${own})', ' * 1000))'],
    'what was counted before a run counts our lanes': ['case when ${begins} or not', 'case when not'],
    'a server that counts anew is not known': ['when v.ms >= t.active_mark and', 'when'],
  }),
  ...listBugs('checks', 'src/engine/batch/sample-checks.ts', 'test/engine/batch/own-wait.test.ts', {
    'our batches that wait for each other slow a rollout': ['(isShared(others) ? own : null)', 'own'],
    'our batches that wait for others do not': ['(isShared(others) ? own : null)', 'null'],
  }),
  ...listBugs('undo', `${M}/compared-undo.ts`, 'test/engine/undo/compared.test.ts', {
    'a first decision that somebody changed meanwhile is taken away': [' and a.version = 1 and a.run_id = taken;', ';'],
    'what somebody changed meanwhile is taken back': [
      `\n      and to_jsonb(a) - \${LEFT_ASIDE} = z.written - \${LEFT_ASIDE}\`;`,
      '`;',
    ],
    'a range that changed meanwhile is not judged again': ['if taken_back <> undone then', 'if false then'],
  }),
  ...listBugs('undo', `${M}/compared-undo.ts`, 'test/engine/undo/undo.test.ts', {
    'a paid org falls lower than was seen': ['or f.becomes <= b.becomes', 'or f.becomes is not null'],
  }),
  ...listBugs('undo', `${M}/undo-runs.ts`, OLDER, {
    'one that was approved long ago is opened': [`plan.decided_at < clock_timestamp() - interval '72 hours'`, 'false'],
  }),
  ...listBugs('undo', 'src/stores/cell/undo/undo-plans.ts', OLDER, {
    'one that was approved long ago starts': [` and decided_at > clock_timestamp() - interval '71 hours'`, ''],
  }),
  ...listBugs('undo', 'src/engine/undo/request-undo.ts', OLDER, {
    'a withdrawn one stays requested': [
      'if (open?.undoId === id.proposalId) await',
      'if (id.proposalId < 0n && open) await',
    ],
  }),
  ...listBugs('undo', 'src/engine/undo/preview-undo.ts', 'test/engine/undo/undo.test.ts', {
    'it is asked for after its instant, before the latch': [
      '(gate.effectiveAt !== null && gate.effectiveAt <= (await readControlClock(tx)))',
      'Number(await readControlClock(tx)) < 0',
    ],
  }),
  ...listBugs('undo', 'src/engine/scheduler/audit-cells.ts', 'test/engine/undo/forgotten.test.ts', {
    'one that control forgot is reversed by the next night': ['if (isUndoForgotten(row.stage, reading))', 'if (false)'],
  }),
  ...listBugs('undo', 'src/domain/rollout/decide-data-center.ts', 'test/engine/undo/forgotten.test.ts', {
    'a night goes on before the auditor has looked': [
      'if (isUndoForgotten(dc.stage, dc.cell)) return',
      'if (false) return',
    ],
  }),
  ...listBugs('undo', 'src/cli/commands/undo.ts', 'test/cli/views/show-undo.test.ts', {
    'orgs that it leaves are a success': [
      `report.counts.conflicts > 0 ? ORGS_LEFT_OUT : 0`,
      '0 > 1 ? ORGS_LEFT_OUT : 0',
    ],
  }),
  ...listBugs('undo', 'src/cli/views/show-summary.ts', 'test/cli/views/show-undo.test.ts', {
    'what fell is said to be kept': ['shown.filter(isOfUndo)', 'shown.filter((dc) => !isOfUndo(dc))'],
  }),
  ...listBugs('quarantine', 'src/engine/batch/breach.ts', 'test/engine/batch/breakers.test.ts', {
    'a batch that brings too many is written': [
      'if (!exceedsQuarantine({ quarantined, planned, orgs }, maxShare)) return;',
      'if (maxShare >= 0) return;',
    ],
    'it never lets a run go on': [' || batch.quarantined <= maxShare * batch.orgs', ''],
  }),
  ...listBugs('usage', `${M}/usage-speed.ts`, 'test/engine/usage/record-usage.test.ts', {
    'a day falls with an older copy': ['`${one} = greatest(u.${one}, excluded.${one})`', '`${one} = excluded.${one}`'],
    'a day is counted twice': [
      '`${one} = greatest(u.${one}, excluded.${one})`',
      '`${one} = u.${one} + excluded.${one}`',
    ],
  }),
  ...listBugs('retention', `${M}/retention.ts`, 'test/engine/reconcile/purge-drift.test.ts', {
    'findings are forgotten at once': [
      '      and r.ended_at < clock_timestamp() - make_interval(days => retention_days)',
      '      and r.ended_at < clock_timestamp()',
    ],
  }),
  ...listBugs('approval', 'src/engine/two-person-rule.ts', 'test/engine/org/approve-override.test.ts', {
    'its author is a second person': [
      'if (author !== approver.name) return;',
      'if (author !== approver.name || NEXT) return;',
    ],
  }),
  ...listBugs('webhooks', 'src/domain/webhooks/sign-message.ts', 'test/domain/webhooks/message.test.ts', {
    'its time is not signed': ['`${messageId}.${timestamp}.${body}`', '`${messageId}.${body}`'],
  }),
  ...listBugs('roles', 'src/stores/cell/setup/grants.ts', 'test/attacks/privileges.test.ts', {
    'a scheduler reads who is in quarantine': [
      `'select (run_id, reason) on credit_rollout.quarantine'`,
      `'select (run_id, org_id, reason) on credit_rollout.quarantine'`,
    ],
  }),
  ...listBugs('meter', 'src/stores/meter/memory-slots.ts', 'test/metering/memory-slots.test.ts', {
    'a slot that is moved is not found at its place': ['last.at = slot.at;', ''],
    'who holds an expired slot ends it again': ['slot.owner = undefined;', ''],
    'one that is listed keeps its old place': ['slot.at = IN_MAP;', ''],
  }),
  ...listBugs('residency', 'src/domain/rollout/cell-code.ts', 'test/domain/rollout/cell-code.test.ts', {
    'a text of a cell passes for a code': [`return text;\n  return 'other';`, 'return text;\n  return text;'],
  }),
];
