// How many orgs nulls and negative numbers set aside, before any run, for `doctor`. Counts only; never an org.
import type { QuarantineReason } from '../../../domain/source/org-inputs.js';
import type { CellTransaction } from '../cell-database.js';

interface ReasonCount {
  readonly reason: QuarantineReason;
  /** Decimal text. */
  readonly orgs: string;
}

/** `counted`: a null in light_agents cannot be decided either. */
type LightAgents = 'counted' | 'uncounted';

/**
 * Orgs of these editions that nulls or negative numbers make undecidable, by the first reason that holds; the most frequent
 * first. In the order of `assessed`, which knows only the cards that the cell has. Reads every org.
 */
export async function countBadInputs(
  tx: CellTransaction,
  { editions, lightAgents }: { readonly editions: readonly string[]; readonly lightAgents: LightAgents },
): Promise<readonly ReasonCount[]> {
  const { rows } = await tx.raw(
    `select q.reason, count(*)::text as orgs from (
       select case
         when s.paid is null then 'null_paid'
         when s.agents is null then 'null_agents'
         when s.light_agents is null and ? then 'null_light_agents'
         when s.additional_credits is null then 'null_additional_credits'
         when s.created_at is null then 'null_created_at'
         when s.agents < 0 then 'negative_agents'
         when s.light_agents < 0 then 'negative_light_agents'
         when s.additional_credits < 0 then 'negative_additional_credits'
         when s.negotiated_limit < 0 then 'negative_legacy_limit'
       end as reason
       from credit_rollout.source_orgs s where s.edition = any (?::text[])
     ) q where q.reason is not null group by q.reason order by count(*) desc, q.reason`,
    [lightAgents === 'counted', [...editions]],
  );
  return rows;
}
