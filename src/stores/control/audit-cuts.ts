// Proposals to accept what control has lost of its audit. The database records who proposes, approves and withdraws,
// enters each of that in the audit, and lets nobody approve their own.
import type { AuditCut, NamedHead } from '../../domain/operate/lost-heads.js';
import { findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface CutProposal {
  readonly cutId: bigint;
  /** Whose cells keep the heads, by name. */
  readonly dataCenters: readonly string[];
  /** How many heads it names. */
  readonly heads: number;
  readonly reason: string;
  readonly author: string;
  readonly proposedAt: Date;
  readonly approver: string | null;
  readonly decidedAt: Date | null;
  readonly state: 'proposed' | 'accepted' | 'withdrawn';
  readonly withdrawnBy: string | null;
  /** One person proposed and approved it, on the embedded servers. */
  readonly alone: boolean;
}

type Stored = Omit<CutProposal, 'cutId'> & { readonly cutId: string };

const COLUMNS = `cut_id,
  (select array_agg(distinct p ->> 'data_center' order by p ->> 'data_center') from jsonb_array_elements(parts) p)
    as data_centers,
  (select sum(jsonb_array_length(p -> 'heads'))::int from jsonb_array_elements(parts) p) as heads,
  reason, author, proposed_at, approver, decided_at, state, withdrawn_by, alone`;

const toProposal = (row: Stored): CutProposal => ({ ...row, cutId: BigInt(row.cutId) });

/** Call `identifyPerson` first. A second open one raises 23505. */
export async function insertAuditCut(
  tx: ControlTransaction,
  { parts, reason }: { readonly parts: readonly AuditCut[]; readonly reason: string },
): Promise<CutProposal> {
  const row = await selectRow<Stored>(
    tx,
    `insert into credit_rollout_control.audit_cuts (parts, reason)
     values (:parts::jsonb, :reason) returning ${COLUMNS}`,
    {
      parts: JSON.stringify(
        parts.map(({ dataCenter, entries, from, heads }) => ({
          data_center: dataCenter,
          from: entries === null ? null : String(from),
          heads: heads.map(({ link, hash }) => ({ link: String(link), hash })),
        })),
      ),
      reason,
    },
  );
  return toProposal(row);
}

export async function findAuditCut(tx: ControlTransaction, cutId: bigint): Promise<CutProposal | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.audit_cuts where cut_id = :cut_id::bigint`,
    { cut_id: cutId },
  );
  return row && toProposal(row);
}

/** The one that waits for its approval; null: none does. */
export async function findOpenAuditCut(tx: ControlTransaction): Promise<CutProposal | null> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.audit_cuts where state = 'proposed'`,
  );
  return row === undefined ? null : toProposal(row);
}

/** What a proposal names, head by head. */
export async function listCutHeads(tx: ControlTransaction, cutId: bigint): Promise<readonly NamedHead[]> {
  const rows = await selectRows<{ readonly dataCenter: string; readonly link: string; readonly hash: string }>(
    tx,
    `select p ->> 'data_center' as data_center, h ->> 'link' as link, h ->> 'hash' as hash
     from credit_rollout_control.audit_cuts c, jsonb_array_elements(c.parts) p, jsonb_array_elements(p -> 'heads') h
     where c.cut_id = :cut_id::bigint`,
    { cut_id: cutId },
  );
  return rows.map(({ link, ...row }) => ({ ...row, link: BigInt(link) }));
}

/**
 * Accepts or withdraws it. Undefined when it was decided already. An acceptance fails at the commit where control has
 * one of the heads by then.
 */
export async function saveCutDecision(
  tx: ControlTransaction,
  cutId: bigint,
  { state, reason }: { readonly state: 'accepted' | 'withdrawn'; readonly reason: string | null },
): Promise<CutProposal | undefined> {
  const row = await findRow<Stored>(
    tx,
    `update credit_rollout_control.audit_cuts set state = :state, decided_reason = :reason
     where cut_id = :cut_id::bigint and state = 'proposed'
     returning ${COLUMNS}`,
    { cut_id: cutId, state, reason },
  );
  return row && toProposal(row);
}
