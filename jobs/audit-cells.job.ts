// Compares the cells of idle data centers with what control knows of them. Runs in a scheduler every 30 s, apart
// from the ticks, so that a cell that does not answer delays no step.
import type { EngineContext } from '../src/engine/context.js';
import { auditCells } from '../src/engine/scheduler/audit-cells.js';
import type { Service } from './service.js';

export const auditService = (context: EngineContext): Service => ({
  name: 'audit_cells',
  intervalMs: 30_000,
  runOnce: async () => {
    await auditCells(context);
  },
});
