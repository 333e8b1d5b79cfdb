// What people accepted as lost of the audit: entries of it, which only a function of the database makes.
import type { AcceptedCut, AuditCut } from '../../domain/operate/lost-heads.js';
import { selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

/** The oldest first. */
export async function listAcceptedCuts(tx: ControlTransaction): Promise<readonly AcceptedCut[]> {
  return selectRows<AcceptedCut>(
    tx,
    `select data_center, details -> 'heads' as heads, details ->> 'from' as "from", details ->> 'to' as "to",
       details ->> 'entries' as entries, at, actor as "by", reason
     from credit_rollout_control.audit
     where action = 'accept_audit_cut' and jsonb_typeof(details -> 'heads') = 'array' order by seq`,
  );
}

/** Fails at the commit where control has one of the heads by then. */
export async function acceptCut(tx: ControlTransaction, cut: AuditCut, reason: string): Promise<void> {
  await selectRow(
    tx,
    `select credit_rollout_control.accept_audit_cut(:data_center, :first::bigint, :heads::jsonb, :reason)`,
    {
      data_center: cut.dataCenter,
      first: cut.entries === null ? null : cut.from,
      heads: JSON.stringify(cut.heads.map(({ link, hash }) => ({ link: String(link), hash }))),
      reason,
    },
  );
}
