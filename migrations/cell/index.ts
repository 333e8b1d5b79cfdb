// The migrations of a cell, in order. Objects that depend on the product's table are in attached/: init creates them again.
import type { Migration } from '../migration.js';
import { refuseAbortedRuns } from './aborted-runs.js';
import { countActiveSessions } from './active-sessions.js';
import { adoptMovedCells } from './adoption.js';
import { createAllotments, guardAllotments } from './allotments.js';
import { createApiDetails } from './api-details.js';
import { askQuarantinedAgain } from './asked-again.js';
import { boundUsage, compareWholeOverrides, guardExceptions } from './asked-exceptions.js';
import { keepAuditHeads } from './audit-heads.js';
import { boundWhatWorkersCount } from './bounded-numbers.js';
import { boundSlowdown } from './bounded-slowdown.js';
import { recordCallCosts } from './call-costs.js';
import { recordChangesTogether } from './changes-together.js';
import { createChecks } from './checks.js';
import { splitChecksums } from './checksum-seeds.js';
import { addChecksums } from './checksums.js';
import { choosePlanSizes } from './chosen-sizes.js';
import { writeCodesOnly } from './codes-only.js';
import { compareUndone } from './compared-undo.js';
import { indexRetired, nameCardFalls } from './daily-decisions.js';
import { logDecisionsAlone } from './decisions-alone.js';
import { createDrift, createRepairs, splitRepairs } from './drift.js';
import { createEnforcement } from './enforcement.js';
import { boundCellEpochs } from './epochs.js';
import { createExceptions } from './exceptions.js';
import { createFeed } from './feed.js';
import { storeFeedProgress } from './feed-progress.js';
import { guardFenceAndGate } from './fence-and-gate.js';
import { bindFenceToServer } from './fence-server.js';
import { fenceRepairs, rejectNegativeNumbers } from './fenced-repairs.js';
import { signFirstDecisions } from './first-decisions.js';
import { createFreezes } from './freeze.js';
import { requireFreshSnapshots } from './fresh-snapshots.js';
import { createSignUpFunctions, guardGate } from './gate.js';
import { bindNames, checkRates, guardFloors, recordWorkerLogins, sealGateAnswers } from './guards.js';
import { type CellSchemaOptions, createIdentity, protectRates } from './identity.js';
import { checkCellInstants, endRunsOnce } from './instants.js';
import { keepBatches } from './kept-batches.js';
import { listKeysAlone } from './keys-alone.js';
import { refuseUnknownOrgs } from './known-orgs.js';
import { announceLatches } from './latch.js';
import { keepLeftOut } from './left-out.js';
import { loosenChecks } from './loosened-checks.js';
import { createMaintenance } from './maintenance.js';
import { guardNights } from './night-guards.js';
import { purgeCellNights } from './nights.js';
import { leaveOddRowsOut } from './odd-rows.js';
import { countOthersWrites } from './others-writes.js';
import { narrowOverrides } from './override-role.js';
import { keepPlannedDefinition, setDynamicFailuresAside } from './planned-definition.js';
import { readPlannedFalls } from './planned-falls.js';
import { createCellPlans, createOverrides, pinRuns } from './plans.js';
import { quickenChanges } from './quick-changes.js';
import { createRangeFunctions } from './ranges.js';
import { askReadsSource } from './reads-source.js';
import { restoreEdited } from './repair.js';
import { createDriftPurge, createPlanPurge } from './retention.js';
import { createCellReversals } from './reversal.js';
import { readNoSourceAsOwner } from './rights-of-lookups.js';
import { recordCellSchedulers } from './scheduler-logins.js';
import { sealCutovers, sealOverrides } from './sealed-changes.js';
import { writeSealedChecks } from './sealed-checks.js';
import { sealPlans } from './sealed-plans.js';
import { retirePlanNumbers, sealCellRetention } from './sealed-retention.js';
import { bindReversals } from './sealed-reversals.js';
import { createCellSeals, sealRuns } from './seals.js';
import { checkSealsAtCommit } from './seals-at-commit.js';
import { shortenChecksums } from './shorter-checksums.js';
import { limitSignUpLists } from './sign-up-lists.js';
import { measureOrgLists } from './sign-up-reads.js';
import { limitSignUpWaits } from './sign-up-waits.js';
import { keepGivenUpSignUps, noteNoLongIds } from './sign-ups-given-up.js';
import { writeSignUpsLater } from './sign-ups-later.js';
import { recordSignUpsOnly } from './sign-ups-recorded.js';
import { writeSignUpsTogether } from './sign-ups-together.js';
import { boundFeed, signFindings } from './signed-findings.js';
import { signPlans } from './signed-plans.js';
import { checkCanaryPass, recordAllPowers } from './signed-times.js';
import { readSourceAsRole } from './source-role.js';
import { proveSweeps, sweepByRuns } from './swept-by-runs.js';
import { tellAdoptions } from './told-adoptions.js';
import { judgeWholeRuns } from './undo-again.js';
import { traceUndone } from './undo-lineage.js';
import { undoOlderRuns } from './undo-older.js';
import { createUndoPlans } from './undo-plans.js';
import { restoreFloors, runUndos } from './undo-runs.js';
import { addCardsWhole, freezeWithoutWaiting, signCellRows } from './unheld-freezes.js';
import { deleteByFunctions } from './unlocked-tables.js';
import { deleteWorkersByFunction } from './unlocked-workers.js';
import { createUsage } from './usage.js';
import { boundGivenBack, readEverySpelling } from './usage-bounds.js';
import { countShadowApart } from './usage-in-shadow.js';
import { checkGivenKinds, quickenUsage, validateKindsSize, validateUsage } from './usage-speed.js';
import { createFence, createRuns } from './work.js';
import { compareWrittenNumbers } from './written-numbers.js';

export type { CellSchemaOptions } from './identity.js';

import { recordSkippedFollowUps } from './skipped-follow-ups.js';
import { measureSlowdown } from './slowdown.js';
import { cutClaimedNames, limitCellTexts } from './texts.js';
import { quickenUndo } from './undo-speed.js';
import { keepUndoneAllotments } from './undone-allotments.js';
import { letWorkersDrain } from './worker-meters.js';

/** All migrations of a cell, oldest first. */
export function cellMigrations(options: CellSchemaOptions): readonly Migration[] {
  return [
    createIdentity(options),
    protectRates,
    createAllotments,
    guardAllotments,
    createFence,
    createRuns,
    createRangeFunctions,
    createCellPlans,
    createOverrides,
    pinRuns,
    createPlanPurge,
    createFreezes,
    createDrift,
    createRepairs,
    splitRepairs,
    createFeed,
    createMaintenance,
    guardGate,
    createSignUpFunctions,
    createCellReversals,
    createDriftPurge,
    bindNames,
    sealGateAnswers,
    guardFloors,
    checkRates,
    recordWorkerLogins,
    guardFenceAndGate,
    createCellSeals,
    sealRuns,
    sealCutovers,
    sealOverrides,
    sealPlans,
    bindReversals,
    purgeCellNights,
    narrowOverrides,
    writeSignUpsLater,
    guardNights,
    addChecksums,
    nameCardFalls,
    indexRetired,
    restoreEdited,
    sealCellRetention,
    retirePlanNumbers,
    readSourceAsRole,
    recordCellSchedulers,
    askReadsSource,
    createUsage,
    createExceptions,
    createApiDetails,
    recordCallCosts,
    limitSignUpWaits,
    bindFenceToServer,
    fenceRepairs,
    rejectNegativeNumbers,
    announceLatches,
    adoptMovedCells,
    storeFeedProgress,
    freezeWithoutWaiting,
    addCardsWhole,
    signCellRows,
    requireFreshSnapshots,
    checkCanaryPass,
    recordAllPowers,
    guardExceptions,
    boundUsage,
    compareWholeOverrides,
    deleteByFunctions,
    writeCodesOnly,
    createEnforcement,
    checkSealsAtCommit,
    endRunsOnce,
    sweepByRuns,
    writeSignUpsTogether,
    createChecks,
    logDecisionsAlone,
    compareWrittenNumbers,
    checkCellInstants,
    boundGivenBack,
    readEverySpelling,
    signFindings,
    boundFeed,
    signPlans,
    boundCellEpochs,
    limitCellTexts,
    cutClaimedNames,
    splitChecksums,
    leaveOddRowsOut,
    boundWhatWorkersCount,
    keepLeftOut,
    recordSignUpsOnly,
    keepGivenUpSignUps,
    writeSealedChecks,
    signFirstDecisions,
    quickenUsage,
    validateUsage,
    keepBatches,
    proveSweeps,
    noteNoLongIds,
    letWorkersDrain,
    countShadowApart,
    askQuarantinedAgain,
    deleteWorkersByFunction,
    loosenChecks,
    measureSlowdown,
    boundSlowdown,
    createUndoPlans,
    traceUndone,
    runUndos,
    restoreFloors,
    shortenChecksums(options),
    tellAdoptions,
    quickenChanges,
    keepUndoneAllotments,
    quickenUndo,
    limitSignUpLists,
    refuseUnknownOrgs,
    keepPlannedDefinition,
    measureOrgLists,
    recordSkippedFollowUps,
    setDynamicFailuresAside,
    choosePlanSizes,
    countOthersWrites,
    readNoSourceAsOwner,
    judgeWholeRuns,
    checkGivenKinds,
    validateKindsSize,
    recordChangesTogether,
    keepAuditHeads,
    readPlannedFalls,
    refuseAbortedRuns,
    undoOlderRuns,
    listKeysAlone,
    countActiveSessions,
    compareUndone,
  ];
}
