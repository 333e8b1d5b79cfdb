// `why` for people: what is stored and its terms, who wrote it, today's inputs, and what the rule would give now.

import type { OrgExplanation } from '../../engine/org/explain-org.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showInstant } from '../terminal/numbers.js';
import { indent } from '../terminal/table.js';
import { describeReplaced, planningOf } from './show-stale.js';

export function showWhy(explanation: OrgExplanation, zone: string, commands: CommandNames): string {
  const { orgId, dataCenter, stored, lines, recompute, quarantine } = explanation;
  const head =
    stored === null
      ? `org ${showName(orgId)} in ${dataCenter}: no allotment`
      : `org ${showName(orgId)} in ${dataCenter}: ${showCount(stored.allotment.totalCredits)} credits a day`;
  const asideSince = quarantine === null ? undefined : showInstant(quarantine.recordedAt, zone);
  return [
    head,
    ...indent(stored === null ? [] : lines),
    ...indent(describeWriting(explanation, zone)),
    ...(quarantine === null
      ? []
      : indent([`quarantined by run ${quarantine.runId}: ${quarantine.reason}, ${asideSince}`])),
    ...indent(describeLeftOut(explanation, zone, commands)),
    ...indent(describeNow(explanation)),
    recompute.summary,
    // a decision that is not stored yet is explained here instead
    ...(stored === null ? indent(recompute.lines) : []),
  ].join('\n');
}

function describeWriting({ stored, batch, history, signUp }: OrgExplanation, zone: string): readonly string[] {
  const signedUp = signUp === null ? [] : [`signed up on ${signUp.model}, ${showInstant(signUp.decidedAt, zone)}`];
  if (stored === null) return signedUp;
  const by =
    batch === null
      ? stored.runId === null
        ? 'by no run'
        : `by run ${stored.runId}`
      : `by run ${batch.runId}, batch ${batch.batchNo}, epoch ${batch.epoch}`;
  const changes = history.length === 0 ? '' : `, ${history.length} earlier ${history.length === 1 ? 'row' : 'rows'}`;
  return [
    ...signedUp,
    `written ${showInstant(stored.computedAt, zone)} ${by}; version ${stored.version}${changes}`,
    ...history.map(
      (change) =>
        `  version ${change.version}: ${showCount(change.before.totalCredits)} until ${showInstant(change.changedAt, zone)} (${change.operation}, ${change.cause})`,
    ),
  ];
}

function describeLeftOut(
  { dataCenter, leftOut }: OrgExplanation,
  zone: string,
  commands: CommandNames,
): readonly string[] {
  if (leftOut === null) return [];
  const { runId, reason, recordedAt, followUpSkippedAt } = leftOut;
  const why =
    followUpSkippedAt === null ? 'what it would get now needs another plan' : describeReplaced(followUpSkippedAt, zone);
  return [
    `left out by run ${runId}, ${showInstant(recordedAt, zone)}, since it ${STALE[reason]} after the plan: ${why}`,
    `  to write it: ${commands.show(planningOf(dataCenter))}, and apply it`,
  ];
}

const STALE: Readonly<Record<NonNullable<OrgExplanation['leftOut']>['reason'], string>> = {
  changed: 'changed',
  appeared: 'came',
  gone: 'left',
};

function describeNow({ source, capacity }: OrgExplanation): readonly string[] {
  if (source === null) return [];
  const inputs = [
    `edition ${source.edition === null ? 'null' : showName(source.edition)}`,
    `paid ${source.paid ?? 'null'}`,
    `agents ${source.agents ?? 'null'}`,
    `light agents ${source.lightAgents ?? 'null'}`,
    `purchases ${source.additionalCredits ?? 'null'}`,
    ...(source.negotiatedLimit === null ? [] : [`negotiated limit ${source.negotiatedLimit}`]),
  ];
  const enforced =
    capacity === null
      ? []
      : [
          `the product enforces now: ${capacity.capacity === null ? 'what it had (undecidable)' : `${showCount(capacity.capacity)} a day`} (${capacity.model})`,
        ];
  return [`source now: ${inputs.join(', ')}`, ...enforced];
}
