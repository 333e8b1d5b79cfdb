// A scheduler's step that leaves no row in the audit, one after the other, and a queue that is not prepared.
const TEST = 'test/engine/scheduler/audit-rows.test.ts';
const E = 'src/engine';
const silent = (what, file, find) => ({
  name: `audit row: ${what}`,
  file: `${E}/${file}.ts`,
  find,
  put: find
    .replace('await appendAudit(', 'void (')
    .replace('appendAudit(tx, { action: work', 'void (tx, { action: work'),
  tests: [TEST],
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
  silent('an alarm', 'scheduler/record-due-work', 'await appendAudit(tx, { action: work'),
  {
    name: 'queue: five that prepare it at once prepare nothing',
    file: 'jobs/queue/connection.ts',
    find: 'await runMigrations(client);',
    put: 'void client;',
    tests: ['test/faults/postgres-queue.test.ts'],
    only: 'five|once|schema',
  },
];
