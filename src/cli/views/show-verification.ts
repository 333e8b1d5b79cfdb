// `verify` for people: whether the stored allotments hold, what has changed since, and whether the cut-over is proven.

import type { CutoverProof } from '../../engine/cutover/prove-cutover.js';
import type { Mismatch, VerifyReport } from '../../engine/operate/verify-data-center.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { describeReplaced, planningOf } from './show-stale.js';

export function showVerification(report: VerifyReport, zone: string, commands: CommandNames): string {
  const { dataCenter, nothingToVerify, checked, mismatches, changedSince, appeared, gone } = report;
  if (nothingToVerify) return `· ${dataCenter}: nothing to verify: nothing was rolled out there`;
  const verdict =
    mismatches === 0
      ? `✔ ${dataCenter}: ${showCount(checked)} allotments checked, all of them follow the rule`
      : `✖ ${dataCenter}: ${showCount(mismatches)} of ${showCount(checked)} allotments are not what the rule and the record give`;
  return [
    verdict,
    ...showMismatches(report, commands),
    ...showUnaccounted(report, commands),
    ...showUnreadable(report, commands),
    ...showSkipped(report, zone, commands),
    `    changed in the source since then: ${showCount(changedSince)} · new there: ${showCount(appeared)} · gone there: ${showCount(gone)}`,
    ...showProof(report.cutover, dataCenter, commands),
  ].join('\n');
}

function showMismatches(
  { dataCenter, mismatches, mismatched }: VerifyReport,
  commands: CommandNames,
): readonly string[] {
  if (mismatches === 0) return [];
  const rest = mismatches - mismatched.length;
  const all = commands.show(command`verify --dc ${dataCenter} --limit ${mismatches}`);
  return [
    ...mismatched.map((mismatch) => `    org ${showName(mismatch.orgId)}: ${showMismatch(mismatch)}`),
    ...(rest > 0 ? [`    and ${showCount(rest)} more: ${all}`] : []),
    `    next: ${commands.show(command`repair --dc ${dataCenter}`)}`,
  ];
}

/** The totals, where they differ; else another column is wrong. */
function showMismatch({ storedTotal, ruleTotal }: Mismatch): string {
  if (storedTotal === null) return 'its allotment is missing, and no record of ours says why';
  const stored = `${showCount(storedTotal)} credits a day are stored`;
  if (ruleTotal === null) return `${stored}, but the rule decides nothing for it`;
  return ruleTotal === storedTotal
    ? `${stored}, as the rule gives, but the row is not as we wrote it`
    : `${stored}, but the rule gives ${showCount(ruleTotal)}`;
}

/** Their allotments follow the rule; whether the rule would give something else today nobody knows. */
function showUnreadable({ dataCenter, unreadable }: VerifyReport, commands: CommandNames): readonly string[] {
  if (unreadable === 0) return [];
  return [
    `! ${dataCenter}: ${showOrgs(unreadable)} cannot be read in the source: whether it changed there is not known`,
    `    next: correct the source; after a nightly run this lists them: ${commands.show(command`quarantine --dc ${dataCenter}`)}`,
  ];
}

/** They have what they had before the rollout, or what an earlier one gave them. */
function showSkipped(
  { dataCenter, skippedFollowUp }: VerifyReport,
  zone: string,
  commands: CommandNames,
): readonly string[] {
  if (skippedFollowUp === null || skippedFollowUp.orgs === 0) return [];
  const { orgs, runId, since } = skippedFollowUp;
  return [
    `! ${dataCenter}: ${showOrgs(orgs)} ${orgs === 1 ? 'was' : 'were'} left out by run ${runId}: ${describeReplaced(since, zone)}`,
    `    next: ${commands.show(planningOf(dataCenter))}`,
  ];
}

/** What the runs of rollouts counted when they wrote: it finds rows that left no other trace. */
function showUnaccounted({ dataCenter, unaccounted }: VerifyReport, commands: CommandNames): readonly string[] {
  if (unaccounted === 0) return [];
  return [
    `✖ ${dataCenter}: ${showCount(unaccounted)} allotments that its runs wrote are missing, or more are there`,
    `    next: ${commands.show(command`reconcile --dc ${dataCenter}`)}`,
  ];
}

function showProof(proof: CutoverProof, dataCenter: string, commands: CommandNames): readonly string[] {
  const { verdict, effectiveAt, signUps } = proof;
  if (verdict === 'not_armed') return [];
  const at = effectiveAt?.toISOString() ?? '';
  if (verdict === 'ahead')
    return [`    cut-over: it takes effect at ${at}; until then sign-ups start on the old model`];
  const answered = `sign-ups that got credits: ${showCount(signUps.credits)}, legacy: ${showCount(signUps.legacy)}`;
  const broken = [
    [proof.onLegacy, 'orgs are on the old model and not in quarantine'],
    [signUps.lateLegacy, 'sign-ups got the legacy model at or after the instant'],
    [signUps.flipped, 'sign-ups have an allotment of another model than they got'],
  ] as const;
  const faults = broken.filter(([orgs]) => orgs > 0).map(([orgs, what]) => `${showCount(orgs)} ${what}`);
  const { quarantinedOrgs } = proof;
  const left =
    quarantinedOrgs === 0
      ? 'every org is on credits'
      : `every org that could be decided is on credits, and ${showOrgs(quarantinedOrgs)} could not (quarantine)`;
  const verdicts = {
    sweeping: `    cut-over at ${at}: its sweep, the check of every earlier org, has not ended; ${answered}`,
    proven: `✔ ${dataCenter}: cut-over at ${at} proven: ${left}; ${answered}; each stayed on the model that it got`,
    broken: `✖ ${dataCenter}: cut-over at ${at} not proven: ${faults.join('; ')}`,
  } as const;
  return [verdicts[verdict], ...showQuarantined(proof, dataCenter, commands)];
}

function showQuarantined(
  { verdict, quarantined, quarantinedOrgs }: CutoverProof,
  dataCenter: string,
  commands: CommandNames,
): readonly string[] {
  const rest = quarantinedOrgs - quarantined.length;
  const list = commands.show(command`quarantine --dc ${dataCenter}`);
  return [
    ...quarantined.map(
      ({ orgId, reason, decidable }) =>
        `    in quarantine: ${showName(orgId)} · ${reason}${decidable ? ' · corrected since; the next nightly run decides it' : ''}`,
    ),
    ...(rest > 0 ? [`    and ${showCount(rest)} more: ${list}`] : []),
    ...(verdict === 'broken' ? [`    next: ${commands.show(command`reconcile --dc ${dataCenter}`)}`] : []),
  ];
}
