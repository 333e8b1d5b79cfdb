// `reconcile` for people and for programs: what a reconciliation would do, and proposals to accept its falls. Org ids
// go only to the screen of the person who runs the command.

import { CAUSES } from '../../domain/reconcile/cause.js';
import { totalDrift } from '../../domain/reconcile/drift-counts.js';
import type { DriftMovement, DriftOutcome } from '../../domain/reconcile/movement.js';
import { type FallsProposal, showFallsId } from '../../engine/reconcile/accept-falls.js';
import type { DriftPreview, PreviewedOrg } from '../../engine/reconcile/preview-drift.js';
import { command, quoteArgument } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showInstant, showOrgs, showUtc } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';

const MOVEMENTS: Readonly<Record<DriftMovement, string>> = {
  first: 'first decision',
  raise: 'raise',
  fall: 'fall',
  inputs: 'inputs only',
  same: 'nothing to write',
  gone: 'retired',
};
const OUTCOMES: Readonly<Record<DriftOutcome, string>> = {
  to_heal: 'to be healed',
  healed: 'healed',
  proposed: 'proposed',
  unchanged: 'no longer needed',
};

/** The dry run; `next`: the command that does it. */
export function showPreview(preview: DriftPreview, next: string, commands: CommandNames, width: number): string {
  const { dataCenter, counts, orgs, undecidable, reasons, listed } = preview;
  const { found } = totalDrift(counts);
  const read = `${showOrgs(orgs)} read at ${showInstant(preview.snapshotAt)}`;
  const aside =
    undecidable === 0
      ? []
      : [
          `! ${showOrgs(undecidable)} cannot be decided: nothing is changed there`,
          `  which, after a nightly run: ${commands.show(command`quarantine --dc ${dataCenter}`)}`,
        ];
  const waiting = showWaiting(preview, commands, width);
  if (found === 0)
    return [`✔ ${dataCenter}: every allotment matches its inputs; ${read}`, ...aside, ...waiting].join('\n');
  const heal = counts.filter(({ outcome }) => outcome === 'to_heal').reduce((sum, count) => sum + count.orgs, 0);
  return [
    `≠ ${dataCenter}: ${showOrgs(found)} differ, ${showCount(heal)} of them would be healed; ${read}`,
    ...aside,
    ...reasons.map((reason) => `! ${reason}: they are all proposed, and none is written`),
    '',
    ...indent(layOutCounts(preview, width - 2)),
    '',
    ...indent(layOutTable(ORG_COLUMNS, listed.map(toOrgRow), width - 2)),
    ...(listed.length < found
      ? [
          `  … ${showCount(found - listed.length)} more: ${commands.show(command`reconcile --dc ${dataCenter} --limit ${found}`)}`,
        ]
      : []),
    ...waiting,
    '',
    `Nothing was changed. To do it: ${next}`,
  ].join('\n');
}

const layOutCounts = ({ counts }: DriftPreview, width: number): readonly string[] =>
  layOutTable(
    [{ title: 'CAUSE' }, { title: 'MOVEMENT' }, right('ORGS'), { title: 'OUTCOME' }],
    [...counts]
      .sort((a, b) => CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause) || b.orgs - a.orgs)
      .map(({ cause, movement, orgs, outcome }) => [cause, MOVEMENTS[movement], showCount(orgs), OUTCOMES[outcome]]),
    width,
  );

const ORG_COLUMNS = [
  { title: 'ORG' },
  { title: 'CAUSE' },
  { title: 'MOVEMENT' },
  right('BEFORE'),
  right('AFTER'),
  right('FLOOR PROPOSED'),
  { title: '' },
];

/** What earlier nightly runs proposed and nobody has decided yet. */
function showWaiting({ dataCenter, waiting }: DriftPreview, commands: CommandNames, width: number): readonly string[] {
  if (waiting.length === 0) return [];
  const table = layOutTable(
    [{ title: 'ORG' }, { title: 'CAUSE' }, right('FLOOR'), right('PROPOSED'), { title: 'SINCE (UTC)' }],
    waiting.map(({ orgId, cause, floor, proposedFloor, since }) => [
      showName(orgId),
      cause,
      showNumber(floor),
      showNumber(proposedFloor),
      showUtc(since),
    ]),
    width - 2,
  );
  const first = waiting[0];
  const override = command`override ${quoteArgument(first?.orgId ?? '', 'ORG')} --dc ${dataCenter} --floor ${first?.proposedFloor ?? 'N'} --reason TEXT`;
  return [
    '',
    `Nightly runs proposed these floors; two people decide about them: ${commands.show(override)}`,
    ...indent(table),
  ];
}

const showNumber = (credits: bigint | null): string => (credits === null ? '–' : showCount(credits));

const toOrgRow = (org: PreviewedOrg): readonly string[] => [
  showName(org.orgId),
  org.cause,
  MOVEMENTS[org.movement],
  showNumber(org.beforeTotal),
  showNumber(org.afterTotal),
  showNumber(org.proposedFloor),
  OUTCOMES[org.outcome],
];

export function previewDocument(preview: DriftPreview, next: string): Readonly<Record<string, unknown>> {
  const { listed, counts, ...rest } = preview;
  const { found } = totalDrift(counts);
  const orgs = listed.map(({ orgId, cause, movement, outcome, beforeTotal, afterTotal, proposedFloor }) => ({
    orgId,
    cause,
    movement,
    outcome,
    beforeTotal,
    afterTotal,
    proposedFloor,
  }));
  return { executed: false, ...rest, found, counts, listed: orgs, more: listed.length < found, next };
}

/** `in-f7: falls of in beyond the limits of a night, approved; proposed by alice, approved by bob: reason`. */
export function showFalls(proposal: FallsProposal): string {
  const { dataCenter, state, author, approver, alone, reason } = proposal;
  const people = alone
    ? `proposed and approved by ${showName(author)} alone`
    : `proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}`;
  return `${showFallsId(proposal)}: falls of ${dataCenter} beyond the limits of a night, ${state}; ${people}: ${reason}`;
}

export function fallsDocument(proposal: FallsProposal): Readonly<Record<string, unknown>> {
  const { proposalId: _, ...rest } = proposal;
  return { fallsId: showFallsId(proposal), ...rest };
}
