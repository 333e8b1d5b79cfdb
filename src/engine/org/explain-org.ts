// `why`: one org's number and where it comes from, from one snapshot of its cell. Reads only, as reader; shows no other
// org.
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findOrg, type OrgRecord, startSnapshot } from '../../stores/cell/org/orgs.js';
import { loadStoredCard } from '../../stores/cell/org/rates.js';
import {
  findSourceOrg,
  type OrgCapacity,
  type SourceOrg,
  type SourceReading,
} from '../../stores/cell/org/source-org.js';
import { findLeftOutOrg, type LeftOutOrg } from '../../stores/cell/plan/plan-outcome.js';
import type { EngineContext } from '../context.js';
import { fromStoredCard } from '../stored-card.js';
import { explainStored } from './explain-stored.js';
import { getActiveCard, getOrgId, type OrgName, orgNotFound } from './find-org.js';
import { type Recompute, recomputeOrg } from './recompute-org.js';

export interface OrgExplanation extends OrgRecord {
  readonly dataCenter: string;
  /** As the cell spells it, e.g. `7` for `007`. */
  readonly orgId: string;
  /** Today's inputs; null when it has left the source or cannot be read there: see `recompute.kind`. */
  readonly source: SourceOrg | null;
  /** The stored row in words; empty when nothing is stored. */
  readonly lines: readonly string[];
  readonly recompute: Recompute;
  /** Why the newest rollout left it out as stale, where nothing has written it since; null: it did not. */
  readonly leftOut: LeftOutOrg | null;
  /** What the product enforces today; null when the org is not in the source. */
  readonly capacity: OrgCapacity | null;
}

/** One org of a source without an index on org_id is a scan. */
const STATEMENT_MS = 30_000;

/** Throws invalid_org_id, org_not_found, not_initialised. */
export async function explainOrg(context: Pick<EngineContext, 'cells'>, question: OrgName): Promise<OrgExplanation> {
  const cell = context.cells.get(question.dataCenter);
  return cell.inTransaction('reader', (tx) => explain(tx, question), { statementMs: STATEMENT_MS });
}

async function explain(tx: CellTransaction, question: OrgName): Promise<OrgExplanation> {
  await startSnapshot(tx);
  const { dataCenter } = question;
  const { orgId, source, record } = await getOrg(tx, question);
  const { stored } = record;
  const rules = await loadRules(tx, record, dataCenter);
  const present = source.kind === 'present' ? source : null;
  const createdAt = present?.org.createdAt ?? null;
  const leftOut = (await findLeftOutOrg(tx, orgId)) ?? null;
  const writtenSince = leftOut !== null && stored !== null && stored.computedAt > leftOut.recordedAt;
  return {
    ...record,
    dataCenter,
    orgId,
    source: present?.org ?? null,
    leftOut: writtenSince ? null : leftOut,
    capacity: present?.capacity ?? null,
    lines: stored === null ? [] : explainStored({ ...rules, stored, record, card: rules.storedCard, createdAt }),
    recompute: recomputeOrg({ ...rules, source, record, card: rules.activeCard }),
  };
}

async function getOrg(
  tx: CellTransaction,
  question: OrgName,
): Promise<{ readonly orgId: string; readonly source: SourceReading; readonly record: OrgRecord }> {
  const orgId = await getOrgId(tx, question);
  const source = await findSourceOrg(tx, orgId);
  const record = await findOrg(tx, orgId);
  if (source.kind === 'gone' && record.stored === null) throw orgNotFound(question);
  return { orgId, source, record };
}

/** The cards and settings that the cell decides with. */
async function loadRules(tx: CellTransaction, record: OrgRecord, dataCenter: string) {
  const { cell, card: active } = await getActiveCard(tx, dataCenter);
  const hash = record.stored?.rateCard;
  const own = hash === undefined || hash === active.hash ? active : await loadStoredCard(tx, hash);
  return {
    activeCard: fromStoredCard(active),
    storedCard: own && fromStoredCard(own),
    today: cell.today,
    lapseGraceDays: cell.lapseGraceDays,
  };
}
