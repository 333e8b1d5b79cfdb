// The chain over the audit, for its proof. The database writes it; nothing here does.
import { hasHeadSql } from '../../../migrations/control/accepted-cuts.js';
import { entryTextSql } from '../../../migrations/control/audit-chain.js';
import type { ChainEnd, ChainHead, ChainPart } from '../../domain/operate/verify-chain.js';
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

/** Those that the chain does not have; where the retention deleted their entry, it has them. */
export async function listLostHeads<Head extends ChainHead>(
  tx: ControlTransaction,
  heads: readonly Head[],
): Promise<readonly Head[]> {
  const rows = await selectRows<{ readonly at: string }>(
    tx,
    `select w.at from unnest(:links::bigint[], :hashes::text[]) with ordinality as w (link, hash, at)
     where not ${hasHeadSql('w.link', 'w.hash')}`,
    { links: heads.map(({ link }) => link), hashes: heads.map(({ hash }) => hash) },
  );
  const lost = new Set(rows.map(({ at }) => Number(at) - 1));
  return heads.filter((_, at) => lost.has(at));
}

/** The last link before a head that is older than it, by the clocks of control and of the cell that keeps the head. */
export async function findRecordedBefore(
  tx: ControlTransaction,
  { link, keptAt }: ChainHead & { readonly keptAt: Date },
): Promise<bigint> {
  const { last } = await selectRow<{ readonly last: string }>(
    tx,
    `select coalesce(max(p.link), 0) as last from (
       select l.link from credit_rollout_control.audit_links l join credit_rollout_control.audit a using (seq)
       where l.link < :link::bigint and a.at <= :kept_at::timestamptz
       union all
       select g.last_link from credit_rollout_control.audit_gaps g where g.last_link < :link::bigint) p`,
    { link, kept_at: keptAt },
  );
  return BigInt(last);
}
