// The migrations of the control schema, in their order.

import type { Migration } from '../migration.js';
import { acceptExactHeads } from './accepted-cuts.js';
import { createAdoptions } from './adoptions.js';
import { guardAcceptedFalls } from './approved-falls.js';
import { chainAudit } from './audit-chain.js';
import { acceptByTwo, createAuditCuts, tellCuts } from './audit-cuts.js';
import { sealAuditHeads } from './audit-heads.js';
import { beginRunsWithRollouts } from './begun-runs.js';
import { boundEntries } from './bounded-audit.js';
import { boundCheckLimits } from './bounded-limits.js';
import { createCalendar } from './calendar.js';
import { createCheckLimits, sealChecksInForce } from './check-limits.js';
import { bindChecks } from './checks.js';
import { keepCodesOnly } from './codes-only.js';
import { checkLast } from './commit-order.js';
import { decideAtCommit, knowRequesters, sealNothingRemoved } from './decided-at-commit.js';
import { decideForMembers, knowApproversOfPlans, refusePreparedProposals } from './decided-by-members.js';
import { bindDecisions } from './decisions.js';
import { deleteHoldsByFunctions } from './deleted-by-functions.js';
import { recordEnds } from './ends.js';
import { boundControlEpochs } from './epochs.js';
import { recordFailedSteps } from './failed-steps.js';
import { forgetUndos } from './forgotten-undos.js';
import { orderPolicy, readControlFresh, tellOwnRowsApart } from './fresh-snapshots.js';
import { bindControlNames, recordPeople, recordSchedulerLogins, requireApprovals } from './guards.js';
import { logHolds } from './hold-log.js';
import { beginOneNightADay, checkControlInstants } from './instants.js';
import { checkRequests, sealDoneCutovers } from './kept-records.js';
import { knowPeopleNow } from './known-people.js';
import { voidLostApprovals } from './lost-approvals.js';
import { recordAllSchedulerPowers, sealFreshApprovals, voidCellApprovals } from './lost-for-good.js';
import { loseUndos } from './lost-undos.js';
import { recordClosedFences } from './maintenance.js';
import { keepNumbersOnly } from './numbers-only.js';
import { orderPolicyByRow, shapeAudit } from './ordered-policy.js';
import { letOwnersApprove } from './owners-approve.js';
import { pinDataCenters } from './pin.js';
import { knowAuthorsNow, shapeRails } from './plan-authors.js';
import { createApprovals, createControlPlans } from './plans.js';
import { createPolicy } from './policy.js';
import { bindRequests, judgePlans } from './policy-rules.js';
import { typePolicy } from './policy-values.js';
import { guardPostponements } from './postponements.js';
import { removeDataCenters } from './removed-data-centers.js';
import { purgeControlNights } from './retention.js';
import { createControlReversals } from './reversals.js';
import { createRecords, createRollout } from './rollout.js';
import { recordSchedulerQueues } from './scheduler-queues.js';
import { recordSchedulerTicks } from './scheduler-ticks.js';
import { sealChecks } from './sealed-checks.js';
import { checkPlanSeals } from './sealed-plans.js';
import { sealControlRetention } from './sealed-retention.js';
import { createCellProposals, createSeals } from './seals.js';
import { signHolds } from './signed-holds.js';
import { numberRuns } from './taken-epochs.js';
import { limitControlTexts } from './texts.js';
import { tellFailures } from './told-failures.js';
import { undoAgain } from './undo-again.js';
import { createUndoRequests } from './undo-requests.js';
import { recordVerbs } from './verbs.js';
import { voidLostApprovalsForGood } from './voided-approvals.js';
import { keepDeliveries } from './webhook-logins.js';
import { createWebhooks } from './webhooks.js';
import { keepWithdrawalReasons } from './withdrawals.js';

export const controlMigrations: readonly Migration[] = [
  createRollout,
  createRecords,
  createControlPlans,
  createApprovals,
  pinDataCenters,
  createCalendar,
  guardPostponements,
  createControlReversals,
  recordClosedFences,
  bindControlNames,
  recordPeople,
  requireApprovals,
  recordSchedulerLogins,
  createPolicy,
  judgePlans,
  bindRequests,
  createCellProposals,
  createSeals,
  checkPlanSeals,
  recordFailedSteps,
  voidLostApprovals,
  purgeControlNights,
  guardAcceptedFalls,
  voidLostApprovalsForGood,
  sealControlRetention,
  recordSchedulerQueues,
  bindDecisions,
  checkRequests,
  sealDoneCutovers,
  removeDataCenters,
  createAdoptions,
  logHolds,
  readControlFresh,
  tellOwnRowsApart,
  orderPolicy,
  voidCellApprovals,
  sealFreshApprovals,
  recordAllSchedulerPowers,
  decideAtCommit,
  knowRequesters,
  sealNothingRemoved,
  keepNumbersOnly,
  refusePreparedProposals,
  knowApproversOfPlans,
  decideForMembers,
  keepCodesOnly,
  beginOneNightADay,
  orderPolicyByRow,
  shapeAudit,
  chainAudit,
  letOwnersApprove,
  bindChecks,
  recordVerbs,
  checkControlInstants,
  shapeRails,
  knowAuthorsNow,
  boundControlEpochs,
  recordSchedulerTicks,
  limitControlTexts,
  typePolicy,
  recordEnds,
  checkLast,
  knowPeopleNow,
  sealChecks,
  numberRuns,
  keepWithdrawalReasons,
  createWebhooks,
  tellFailures,
  boundEntries,
  beginRunsWithRollouts,
  signHolds,
  deleteHoldsByFunctions,
  keepDeliveries,
  boundCheckLimits,
  createCheckLimits,
  sealChecksInForce,
  createUndoRequests,
  sealAuditHeads,
  loseUndos,
  acceptExactHeads,
  undoAgain,
  forgetUndos,
  createAuditCuts,
  acceptByTwo,
  tellCuts,
];
