// The cut-over of data centers for people: its instant in UTC and local, the state of its gate, and the proposals.

import type { CutoverState } from '../../domain/cutover/cutover.js';
import type { ExecutionReport } from '../../engine/cutover/execute-cutover.js';
import type { CutoverProposal } from '../../engine/cutover/proposals.js';
import type { CutoverReport } from '../../engine/cutover/read-cutovers.js';
import { showName } from '../../kernel/printable.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { showInstant } from '../terminal/numbers.js';
import { showWithdrawal } from './show-withdrawal.js';

const MEANINGS: Readonly<Record<CutoverState, string>> = {
  none: 'no cut-over is pinned. The first apply pins signups.cutover; after it, propose one with cutover postpone',
  planned: 'not active yet; it becomes active when the rollout of the data center is done',
  late: 'its instant has come, and sign-ups stay on the legacy model until the rollout of the data center is done',
  armed: 'active: from its instant on, by the clock of the cell, sign-ups start on credits by themselves',
  due: 'sign-ups start on credits; it becomes final when the sign-ups that began before have ended',
  latched: 'final: sign-ups start on credits for good; its sweep, the check of every earlier org, follows',
  swept: 'final: sign-ups start on credits for good, and its sweep has checked every earlier org',
};

export function showCutover(report: CutoverReport): string {
  const { dataCenter, zone, state, cutoverAt, gate, unreachable, holders, postponements, reversals } = report;
  const instants = [
    ['instant', cutoverAt],
    ['takes effect', gate.effectiveAt],
    ['final since', gate.latchedAt],
    ['sweep ended', gate.sweptAt],
  ] as const;
  return [
    `${dataCenter}: ${state}; ${MEANINGS[state]}`,
    ...instants.flatMap(([word, at]) => (at === null ? [] : [`    ${word.padEnd(12)} ${showInstant(at, zone)}`])),
    ...(unreachable === null
      ? []
      : [`    its cell cannot be read (${unreachable}); this is what the control database recorded last`]),
    ...holders.map(showGateHolder),
    ...[...postponements, ...reversals].map((one) => `    ${showProposal(one)}`),
  ].join('\n');
}

const showGateHolder = ({ pid, since, application }: CutoverReport['holders'][number]): string =>
  `    held by ${pid === null ? 'a prepared transaction' : `session ${pid}`}${application === '' ? '' : ` (${showName(application)})`}${since === null ? '' : `, since ${showInstant(since)}`}`;

/** `in-c3: from … to …, applied; proposed by alice, approved by bob: reason`; `in-r2: reversed from … to …`. */
export function showProposal(proposal: CutoverProposal): string {
  const { state, author, approver, reason } = proposal;
  const by = `proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}`;
  return `${showProposalId(proposal)}: ${showMove(proposal)}, ${state}; ${by}: ${reason}${showWithdrawal(proposal)}`;
}

function showMove({ kind, fromLocal, toLocal }: CutoverProposal): string {
  if (kind === 'reversal') return `reversed from ${fromLocal ?? 'its instant'} to ${toLocal}`;
  return fromLocal === null ? `to ${toLocal}` : `from ${fromLocal} to ${toLocal}`;
}

/** Its name under the word of its kind: `postponementId`, `reversalId`. */
export function proposalDocument(proposal: CutoverProposal): Readonly<Record<string, unknown>> {
  const { kind, proposalId: _, ...rest } = proposal;
  return { [`${kind}Id`]: showProposalId(proposal), ...rest };
}

export function cutoverDocument(report: CutoverReport): Readonly<Record<string, unknown>> {
  const { gate, postponements, reversals, ...rest } = report;
  return {
    ...rest,
    ...gate,
    postponements: postponements.map(proposalDocument),
    reversals: reversals.map(proposalDocument),
  };
}

export function showExecution({ dataCenter, outcome, effectiveAt, latchedAt, holders }: ExecutionReport): string {
  if (outcome === 'busy')
    return [
      `◷ ${dataCenter}: the cut-over is not final yet: sign-ups that began before its instant have not ended`,
      ...holders.map(showGateHolder),
    ].join('\n');
  const since = effectiveAt === null ? '' : `; sign-ups start on credits since ${showInstant(effectiveAt)}`;
  const at = latchedAt === null ? '' : `, since ${showInstant(latchedAt)}`;
  return `✔ ${dataCenter}: the cut-over is final (latched)${outcome === 'already' ? ' already' : ''}${at}${since}`;
}
