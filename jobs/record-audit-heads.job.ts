// Has each cell keep the head of the audit, at most ten seconds after an entry that stays. Runs in a scheduler.
import type { EngineContext } from '../src/engine/context.js';
import { type RecordedHeads, recordAuditHeads } from '../src/engine/scheduler/record-audit-heads.js';
import type { Service } from './service.js';

export function auditHeadsService(context: EngineContext): Service {
  let recorded: RecordedHeads = new Map();
  return {
    name: 'record_audit_heads',
    intervalMs: 10_000,
    runOnce: async () => {
      recorded = await recordAuditHeads(context, recorded);
      return undefined;
    },
  };
}
