// Every command, in the order in which --help lists them.
import type { Command } from 'commander';
import type { Execute } from '../terminal/session.js';
import { registerApply } from './apply.js';
import { registerApprove } from './approve.js';
import { registerAudit } from './audit.js';
import { registerCalendar } from './calendar.js';
import { registerCutover } from './cutover.js';
import { registerDemo } from './demo.js';
import { registerDetach } from './detach.js';
import { registerDoctor } from './doctor.js';
import { registerFreeze } from './freeze.js';
import { registerInit } from './init.js';
import { registerOperate } from './operate.js';
import { registerOverride } from './override.js';
import { registerPlan } from './plan.js';
import { registerPlans } from './plans.js';
import { registerProtect } from './protect.js';
import { registerQuarantine } from './quarantine.js';
import { registerRateCard } from './rate-card.js';
import { registerReconcile } from './reconcile.js';
import { registerScheduler } from './scheduler.js';
import { registerStatus } from './status.js';
import { registerUp } from './up.js';
import { registerVerify } from './verify.js';
import { registerWhy } from './why.js';
import { registerWorker } from './worker.js';

export const REGISTRATIONS: readonly ((cli: Command, execute: Execute) => void)[] = [
  registerInit,
  registerDetach,
  registerDoctor,
  registerPlan,
  registerPlans,
  registerApprove,
  registerProtect,
  registerOverride,
  registerApply,
  registerStatus,
  registerCalendar,
  registerOperate,
  registerFreeze,
  registerCutover,
  registerVerify,
  registerReconcile,
  registerWhy,
  registerQuarantine,
  registerAudit,
  registerRateCard,
  registerWorker,
  registerScheduler,
  registerUp,
  registerDemo,
];
