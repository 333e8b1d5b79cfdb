// The chain over the audit, for its proof. The database writes it; nothing here does.
import { entryTextSql } from '../../../migrations/control/audit-chain.js';
import type { AcceptedCut, ChainEnd, ChainHead, ChainPart } from '../../domain/operate/verify-chain.js';
import { selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

interface PartRow {
  readonly first: string;
  readonly last: string;
  readonly seq: string | null;
  readonly kept: string | null;
  readonly routine: boolean | null;
  readonly hash: string;
  readonly text: string | null;
}

/** Links and gaps after a link, in their order, at most `limit`. Entries as they are now. */
export async function listChain(tx: ControlTransaction, after: bigint, limit: number): Promise<readonly ChainPart[]> {
  const rows = await selectRows<PartRow>(
    tx,
    `select p.* from (
       (select l.link as first, l.link as last, l.seq, l.kept, l.routine, l.hash,
          case when a.seq is not null then ${entryTextSql('a', 'l')} end as text
        from credit_rollout_control.audit_links l left join credit_rollout_control.audit a on a.seq = l.seq
        where l.link > :after::bigint order by l.link limit :limit)
       union all
       (select g.first_link, g.last_link, null, null, null, g.hash, null
        from credit_rollout_control.audit_gaps g
        where g.first_link > :after::bigint order by g.first_link limit :limit)) p
     order by p.first limit :limit`,
    { after, limit },
  );
  return rows.map(({ first, last, seq, kept, routine, hash, text }) =>
    seq === null || kept === null
      ? { kind: 'gap', first: BigInt(first), last: BigInt(last), hash }
      : {
          kind: 'link',
          link: BigInt(first),
          seq: BigInt(seq),
          kept: BigInt(kept),
          routine: routine === true,
          hash,
          text,
        },
  );
}

/** The head, and the first entry without a link. */
export async function readChainEnd(tx: ControlTransaction): Promise<Pick<ChainEnd, 'head' | 'unchained'>> {
  const { link, hash, unchained } = await selectRow<{
    readonly link: string;
    readonly hash: string;
    readonly unchained: string | null;
  }>(
    tx,
    `select h.link, h.hash, (select min(a.seq) from credit_rollout_control.audit a
       where not exists (select from credit_rollout_control.audit_links l where l.seq = a.seq)) as unchained
     from credit_rollout_control.audit_head h`,
  );
  return { head: { link: BigInt(link), hash }, unchained: unchained === null ? null : BigInt(unchained) };
}

/** How many entries were recorded so far that the retention never deletes. */
export async function countKeptEntries(tx: ControlTransaction): Promise<bigint> {
  const { kept } = await selectRow<{ readonly kept: string }>(tx, 'select kept from credit_rollout_control.audit_head');
  return BigInt(kept);
}

/** What people accepted as lost. */
export async function listAcceptedCuts(tx: ControlTransaction): Promise<readonly AcceptedCut[]> {
  const rows = await selectRows<{ readonly from: string; readonly to: string }>(
    tx,
    `select details ->> 'from' as "from", details ->> 'to' as "to" from credit_rollout_control.audit
     where action = 'accept_audit_cut'
       and details ->> 'from' ~ '^[0-9]{1,18}$' and details ->> 'to' ~ '^[0-9]{1,18}$'`,
  );
  return rows.map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) }));
}

/** Whether the chain has this head, also where the retention deleted its entry. */
export async function hasHead(tx: ControlTransaction, { link, hash }: ChainHead): Promise<boolean> {
  const { has } = await selectRow<{ readonly has: boolean }>(
    tx,
    `select exists (select from credit_rollout_control.audit_links l where l.link = :link::bigint and l.hash = :hash)
       or exists (select from credit_rollout_control.audit_gaps g
         where :link::bigint between g.first_link and g.last_link
           and (g.last_link <> :link::bigint or g.hash = :hash)) as has`,
    { link, hash },
  );
  return has;
}
