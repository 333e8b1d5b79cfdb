// Bugs in what src/domain decides: orgs, plans, approvals, runs, gates, nights, undo, webhooks, the meter, the audit.
import { listBugs } from './list-bugs.mjs';

const D = 'src/domain';
const T = 'test/domain';

export const DECISIONS = [
  ...listBugs('org', `${D}/org/decide-floor.ts`, [`${T}/org/decide-org.test.ts`, `${T}/org/golden-cases.test.ts`], {
    'the grace ends a day early': ['> lapseGraceDays', '>= lapseGraceDays'],
    'an unpaid org gets a floor': ['if (!org.paid) return suspendFloor(question);', ''],
    'a floor falls with a lower edition to more than the limit': [
      'if (one < other) return one;',
      'if (one > other) return one;',
    ],
    'a cut-over counts at its own instant as before': ['at < effectiveAt', 'at <= effectiveAt'],
    'the window stays open after the sweep': [
      'question.gate.sweptAt === null && isBeforeCutover(question)',
      'isBeforeCutover(question)',
    ],
    'a recorded answer of the gate is ignored': [`if (model !== null) return model === 'legacy';`, ''],
  }),
  ...listBugs('org', `${D}/org/decide-org.ts`, [`${T}/org/decide-org.test.ts`, `${T}/org/golden-cases.test.ts`], {
    'purchases are taken from the floor': [
      '? floor - org.planCredits : 0n',
      '? floor - org.planCredits - org.additionalCredits : 0n',
    ],
    'a total beyond what can be stored is decided': ['if (allotment.totalCredits > GREATEST_STORED)', 'if (false)'],
  }),
  ...listBugs('org', `${D}/org/decide-movement.ts`, `${T}/org/decide-movement.test.ts`, {
    'a lower floor with a higher total is a raise': [' || isLowerFloor(next.floor, prior.floor)', ''],
  }),
  ...listBugs('plan', `${D}/plan/decide-approval.ts`, `${T}/plan/decide-approval.test.ts`, {
    'its author approves it': [` || approval.approver !== author)`, ` || approval.approver === author)`],
    'the approval of another plan counts': ['approval.digest === digest && ', ''],
    'a voided approval counts': ['usedAt === null && voidedAt === null &&', 'usedAt === null &&'],
    'an approval counts twice': ['return usedAt === null && voidedAt', 'return voidedAt'],
    'a newer plan does not replace it': [
      `if (newer !== null) return { kind: 'held', why: 'superseded', by: newer };`,
      '',
    ],
    'an old approval by its guard-rails counts though they got stricter': [`(one.kind === 'person' || itself)`, 'true'],
  }),
  ...listBugs('plan', `${D}/plan/guard-rails.ts`, `${T}/plan/guard-rails.test.ts`, {
    'protected orgs are not counted': [`    readOrgs('protectedOrgs', counts.protectedTouched, 0),\n`, ''],
    'paid orgs that fall are not counted': [`    readOrgs('paidFalling', counts.paidFalling, 0),\n`, ''],
    'a fall of the total passes': ['const size = change < 0n ? -change : change;', 'const size = change;'],
  }),
  ...listBugs(
    'run',
    `${D}/rollout/decide-rollout.ts`,
    ['run', 'start', 'stops', 'always'].map((name) => `${T}/rollout/decide-${name}.test.ts`),
    {
      'a second data center starts beside the first': ['slot && slot !== before ?', 'false && slot ?'],
      'it starts though an earlier one failed': [
        `failed && createHold('predecessor_failed'`,
        `undefined && createHold('predecessor_failed'`,
      ],
      'it starts while a fence elsewhere is not closed': [
        `unconfirmed && createHold('not_quiet'`,
        `undefined && createHold('not_quiet'`,
      ],
      'a pause leaves the fence open': [
        `if (!isClosed(dc, fence)) return go({ kind: 'close_fence', reason: why });`,
        '',
      ],
      'a stage moves before its fence is closed': [
        `    return isClosed(dc, fence)\n      ? go({ kind: 'advance', to: 'verifying'`,
        `    return true\n      ? go({ kind: 'advance', to: 'verifying'`,
      ],
      'mismatches are no failure': ['if (run.mismatches > 0)', 'if (false)'],
      'it follows up twice': ['run.staleLeft > 0 && !run.followedUp &&', 'run.staleLeft > 0 &&'],
      'a fence of another epoch is ours': ['fence.epoch === dc.epoch && fence.runId', 'fence.runId'],
      'a failover is not noticed': [
        'const opened = fence.sameTimeline && fence.sameServer;',
        'const opened = fence.sameServer;',
      ],
      'a frozen cell starts': [`    frozen(dc),\n    paused(dc),\n    failed`, '    paused(dc),\n    failed'],
      'a frozen cell ends its bake': [
        `const held = decideFrozen(dc) ?? holdChanged(dc);`,
        'const held = holdChanged(dc);',
      ],
    },
  ),
  ...listBugs('canary', `${D}/rollout/decide-canary.ts`, `${T}/rollout/decide-canary.test.ts`, {
    'its mismatches are let through': ['if (canary.mismatches > 0)', 'if (false)'],
    'it is not verified': [
      'canary.unverified > 0 ? decideVerification(dc, cell, run, ours) : decideVerified',
      'decideVerified',
    ],
    'it is passed under an open fence': [
      `if (!isClosed(dc, cell.fence)) return go({ kind: 'close_fence', reason: 'the canary is verified' });`,
      '',
    ],
  }),
  ...listBugs('cut-over', `${D}/rollout/decide-gate.ts`, `${T}/rollout/decide-gate.test.ts`, {
    'a data center that is not done is armed': [`if (dc.stage !== 'done')`, `if (dc.stage === 'pending')`],
    'a frozen cell is latched': ['if (freeze !== null) return IDLE;', ''],
    'a postponed instant is not armed anew': ['gate.configuredAt?.getTime() === dc.cutoverAt.getTime()', 'true'],
    'what began is disarmed': ['gate.effectiveAt !== null && !begun', 'gate.effectiveAt !== null'],
  }),
  ...listBugs('cut-over', `${D}/cutover/cutover.ts`, `${T}/cutover/cutover.test.ts`, {
    'a final one is postponed': [
      'if (gate.latchedAt !== null)\n    return {\n      why: `it happened',
      'if (false)\n    return {\n      why: `it happened',
    ],
    'one in effect is postponed': [
      'if (gate.effectiveAt !== null && gate.effectiveAt <= now)\n    return {',
      'if (false)\n    return {',
    ],
    'it moves before the rollout may start': ['if (notBeforeAt !== null && at < notBeforeAt)', 'if (false)'],
  }),
  ...listBugs('undo', `${D}/rollout/decide-undo.ts`, `${T}/rollout/decide-undo.test.ts`, {
    'it goes on after the cut-over': [`return hasBegun(gate, now) ? 'cutover_begun' : undefined;`, 'return undefined;'],
    'it works while the gate is armed': ['if (gate.effectiveAt !== null) return { steps: [], holds: [] };', ''],
    'it starts in a frozen cell': [
      `const holds: (Hold | undefined)[] = [\n    frozen(dc),`,
      'const holds: (Hold | undefined)[] = [',
    ],
    'it goes on in a frozen cell': ['const held = frozen(dc);\n  if (held !== undefined) return hold(held);', ''],
    'it starts while it is paused': [`    frozen(dc),\n    paused(dc),`, '    frozen(dc),'],
    'it starts beside another rollout': [`slot && createHold('slot_taken'`, `undefined && createHold('slot_taken'`],
    'it starts beside a night': ['dc.maintenance.open === null', 'true'],
    'it starts without its cell': [`dc.cell?.kind === 'read' ? undefined : unreachable(dc),`, 'undefined,'],
    'it ends before its fence is closed': [
      `    return closed\n      ? go({ kind: 'advance', to: 'undone'`,
      `    return true\n      ? go({ kind: 'advance', to: 'undone'`,
    ],
    'a pause leaves its fence open': [
      `steps: closed ? [] : [{ kind: 'close_fence', reason: 'it was stopped' }]`,
      'steps: []',
    ],
    'it works under another epoch': ['fence.epoch === dc.epoch && fence.runId', 'fence.runId'],
    'a failover is not noticed': [' && fence.sameTimeline && fence.sameServer;', ' && fence.sameServer;'],
  }),
  ...listBugs('undo', `${D}/rollout/decide-undo.ts`, 'test/engine/undo/older.test.ts', {
    'one that waits is started after the cut-over': [
      'if (hasBegun(dc.cell?.kind',
      `if (dc.id === '' && hasBegun(dc.cell?.kind`,
    ],
    'an aborted rollout is not undone': [`['done', 'aborted', 'failed', 'undone']`, `['done', 'failed', 'undone']`],
    'a failed rollout is not undone': [`['done', 'aborted', 'failed', 'undone']`, `['done', 'aborted', 'undone']`],
    'an older run is not undone after a newer one': [
      `['done', 'aborted', 'failed', 'undone']`,
      `['done', 'aborted', 'failed']`,
    ],
  }),
  ...listBugs('advice', `${D}/rollout/data-center-state.ts`, 'test/engine/undo/older.test.ts', {
    'an older run that can be undone is not named': [`if (dc.stage === 'undone' && facts.undoable)`, 'if (false)'],
  }),
  ...listBugs('advice', `${D}/rollout/decide-undo.ts`, `${T}/rollout/next-command.test.ts`, {
    'an undo that failed is retried': [`if (!undoFailed) return byCommand('retry'`, `if (id) return byCommand('retry'`],
    'an undo is asked for after its cut-over': [
      `return begun ? byCommand('apply', '--dc', id, '--execute') : byCommand('undo', '--dc', id);`,
      `return byCommand('undo', '--dc', id);`,
    ],
  }),
  ...listBugs('advice', `${D}/rollout/fitting-verbs.ts`, `${T}/rollout/next-command.test.ts`, {
    'a data center that is done is not undone': ['UNDOABLE_STAGES.includes(stage)', `stage === 'done'`],
  }),
  ...listBugs('night', `${D}/rollout/decide-maintenance.ts`, `${T}/rollout/decide-maintenance.test.ts`, {
    'it runs in a frozen cell': ['...(freeze === null ? [] : [', '...(freeze !== undefined ? [] : ['],
    'two run at once': ['other && createHold(', 'undefined && createHold('],
    'it comes before the sweep': [`if (gate.latchedAt !== null && gate.sweptAt === null)`, 'if (false)'],
    'the feed writes while it is paused': [
      `const wanted = dc.intent === 'run' && cell.freeze`,
      'const wanted = cell.freeze',
    ],
    'the feed writes in a frozen cell': [' && cell.freeze === null && cell.source', ' && cell.source'],
    'a sweep ends with what its last pass found': ["open.kind === 'sweep' && run.found > 0", 'false'],
    'it goes on after a failover': [
      `return fence.sameTimeline ? undefined : 'the cell has failed over';`,
      'return undefined;',
    ],
  }),
  ...listBugs('night', `${D}/reconcile/decide-drift.ts`, `${T}/reconcile/decide-drift.test.ts`, {
    'what nothing explains is lowered': [`if (!isExplained(org)) return 'propose';`, ''],
    'a new card lowers': [`if (ownCard !== null && ownCard.movement !== 'fall') return 'card';`, ''],
    'what was edited falls below the record': ['return afterTotal >= record.total && ', 'return '],
  }),
  ...listBugs('night', `${D}/reconcile/name-cause.ts`, `${T}/reconcile/name-cause.test.ts`, {
    'a lapse is called an edition': [`return stored.lapsed ? 'lapse' : 'edition';`, `return 'edition';`],
    'an edit by hand is called seats': [`if (stored.mark === 'edited') return 'manual edit';`, ''],
  }),
  ...listBugs('night', `${D}/reconcile/decide-caps.ts`, `${T}/reconcile/decide-caps.test.ts`, {
    'raises do not count': ['const changed = raises + falls', 'const changed = falls'],
    'what only a new card lowers is healed': [`card: 'propose',`, `card: 'heal',`],
  }),
  ...listBugs('audit', `${D}/operate/verify-chain.ts`, `${T}/operate/verify-chain.test.ts`, {
    'a changed entry is not noticed': ['if (hash !== hashLink(state.hash, text))', 'if (false)'],
    'a missing entry is not noticed': ['if (first !== next || last < first)', 'if (false)'],
    'an entry that counts hides in a gap': ['if (kept !== state.kept + (part.routine ? 0n : 1n))', 'if (false)'],
    'a chain that was written anew is not noticed': [
      `if (other !== undefined) return { ...at`,
      'if (false) return { ...at',
    ],
    'a gap that was written anew is not noticed': ['return other === undefined\n', 'return true\n'],
    'a cut tail is not noticed': ['if (head.link > state.link || past !== undefined)', 'if (head.link > state.link)'],
    'an entry without a link is not noticed': ['if (unchained !== null)', 'if (false)'],
  }),
  ...listBugs('audit', `${D}/rollout/decide-audit.ts`, `${T}/rollout/decide-audit.test.ts`, {
    'a failover is not noticed': [
      `if (!fence.sameTimeline) return 'the cell has failed over since it was verified';`,
      '',
    ],
    'an open fence is not noticed': [`if (fence.state !== 'closed') return 'the fence is open again';`, ''],
    'an older epoch is not noticed': ['if (fence.epoch < dc.epoch)', 'if (false)'],
    'an undo whose cell lost it is not noticed': [
      `if (run === undefined) return 'the cell no longer knows the undo';`,
      '',
    ],
    'an undo whose end is lost is not noticed': [
      `if (run.pending > 0) return 'ranges of the undo are pending again';`,
      '',
    ],
  }),
  ...listBugs('webhooks', `${D}/webhooks/decide-delivery.ts`, `${T}/webhooks/decide-delivery.test.ts`, {
    'a redirect is a success': ['if (status >= 200 && status < 300)', 'if (status >= 200 && status < 400)'],
    'a success keeps the failures': [
      `return { state: 'delivered', failures: 0, delayMs: 0 };`,
      `return { state: 'delivered', failures, delayMs: 0 };`,
    ],
    'a conflict is asked again for a day': [
      'const REFUSALS = [400, 405, 409, 410,',
      'const REFUSALS = [400, 405, 409,',
    ],
  }),
  ...listBugs('meter', `${D}/meter/decide-call.ts`, [`${T}/meter/decide-call.test.ts`, `${T}/limits.test.ts`], {
    'what was given back is used': ['state.credits - state.creditsGivenBack', 'state.credits'],
    'a legacy org is held to calls at once': [
      `const held = state.model === 'credits' && limits.model`,
      'const held = limits.model',
    ],
    'shadow refuses': [
      `if (overCredits && limits.enforceCredits === 'on')`,
      `if (overCredits && limits.enforceCredits !== 'off')`,
    ],
  }),
  ...listBugs('meter', `${D}/meter/price-call.ts`, `${T}/meter/price-call.test.ts`, {
    'the last index is one too high': ['Math.max(limit, 1) - 1;', 'Math.max(limit, 1);'],
    'a bound belongs to the next step': ['lastIndex <= to', 'lastIndex < to'],
    'a part of a batch is free': [
      'Math.ceil(Math.max(records, 1) / cost.records)',
      'Math.max(1, Math.floor(records / cost.records))',
    ],
  }),
  ...listBugs('usage', `${D}/usage/propose-floors.ts`, `${T}/usage/propose-floors.test.ts`, {
    'a protected org is proposed': [`if (org.isProtected) return 'protected';`, ''],
    'a floor beyond the factor is proposed': [`return 'factor';`, 'return null;'],
    'a day is not left a fifth': ['(peak * 6n + 4n) / 5n', 'peak'],
  }),
  ...listBugs('printed text', 'src/kernel/printable.ts', 'test/kernel/printable.test.ts', {
    'marks of direction are printed': [String.raw`[\p{Cc}\p{Cf}\p{Cs}`, String.raw`[\p{Cc}\p{Cs}`],
    'a name ends its own quotes': [`slashes + slashes + (quote && '\\\\"')`, 'slashes + quote'],
  }),
  ...listBugs('printed text', 'src/kernel/csv.ts', 'test/kernel/csv.test.ts', {
    'a formula begins a cell': [`text.replace(FORMULAS, "$1'$2$3")`, 'text'],
  }),
];
