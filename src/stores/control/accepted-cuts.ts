// What people accepted as lost of the audit: entries of it, which only the approval of a proposal makes.
import type { AcceptedCut } from '../../domain/operate/lost-heads.js';
import { selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

/** The oldest first. */
export async function listAcceptedCuts(tx: ControlTransaction): Promise<readonly AcceptedCut[]> {
  return selectRows<AcceptedCut>(
    tx,
    `select data_center, details -> 'heads' as heads, details ->> 'from' as "from", details ->> 'to' as "to",
       details ->> 'entries' as entries, at, actor as "by", details ->> 'author' as author, reason
     from credit_rollout_control.audit
     where action = 'accept_audit_cut' and jsonb_typeof(details -> 'heads') = 'array' order by seq`,
  );
}
