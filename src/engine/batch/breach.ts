// What must stop a run at once: a broken rule, a plan that is edited or missing, more orgs that cannot be decided than
// were approved, a source whose rows are hidden from us. Decides nothing: names the code.
import { exceedsQuarantine } from '../../domain/plan/guard-rails.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import type { BatchCounts } from '../../stores/cell/batch/batches.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import { readQuarantineSoFar } from '../../stores/cell/batch/quarantine-so-far.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import { explainFailure } from '../database-errors.js';

const BREACHES = ['plan_edited', 'plan_unknown', 'quarantine_exceeded'] as const;

/** The code with which the fence closes; undefined: the failure may pass by itself. */
export function findBreach(error: unknown): string | undefined {
  const known = BREACHES.find((code) => isRolloutError(error, code));
  if (known !== undefined) return known;
  const { kind, ours } = classifyFailure(error);
  if (kind === 'not_permitted')
    return isRolloutError(explainFailure(error), 'source_row_security') ? 'source_row_security' : undefined;
  return kind === 'rule_broken' && !isRowFailure(error) ? (ours ?? 'rule_violation') : undefined;
}

/**
 * The orgs of a batch that cannot be decided, with those of the batches before it, are within what its plan or the
 * guard-rail allows. A batch whose own share is small passes: once the source is corrected, a retry gets through.
 * Throws quarantine_exceeded; then nothing of the batch is written.
 */
export async function requireFewQuarantined(tx: CellTransaction, run: OpenRun, batch: BatchCounts): Promise<void> {
  if (batch.quarantined === 0 || run.planId === null) return;
  const { before, planned, orgs, maxShare } = await readQuarantineSoFar(tx, { runId: run.runId, planId: run.planId });
  const quarantined = before + batch.quarantined;
  if (maxShare === null || batch.quarantined <= maxShare * batch.orgs) return;
  if (!exceedsQuarantine({ quarantined, planned, orgs }, maxShare)) return;
  throw new RolloutError('quarantine_exceeded', {
    message: `${quarantined} of ${orgs} orgs cannot be decided any more; the plan had ${planned}.`,
  });
}
