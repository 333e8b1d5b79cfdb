// Every command, in the order in which --help lists them.
import type { Command } from 'commander';
import type { Execute } from '../terminal/session.js';
import { registerApplyCommand } from './apply.js';
import { registerApproveCommand } from './approve.js';
import { registerAuditCommand } from './audit.js';
import { registerCalendarCommand } from './calendar.js';
import { registerCutoverCommand } from './cutover.js';
import { registerDemoCommand } from './demo.js';
import { registerDetachCommand } from './detach.js';
import { registerDoctorCommand } from './doctor.js';
import { registerFreezeCommand } from './freeze.js';
import { registerInitCommand } from './init.js';
import { registerOperateCommand } from './operate.js';
import { registerOverrideCommand } from './override.js';
import { registerPlanCommand } from './plan.js';
import { registerPlansCommand } from './plans.js';
import { registerProtectCommand } from './protect.js';
import { registerQuarantineCommand } from './quarantine.js';
import { registerRateCardCommand } from './rate-card.js';
import { registerReconcileCommand } from './reconcile.js';
import { registerSchedulerCommand } from './scheduler.js';
import { registerStatusCommand } from './status.js';
import { registerUpCommand } from './up.js';
import { registerVerifyCommand } from './verify.js';
import { registerWhyCommand } from './why.js';
import { registerWorkerCommand } from './worker.js';

export const REGISTRATIONS: readonly ((cli: Command, execute: Execute) => void)[] = [
  registerInitCommand,
  registerDetachCommand,
  registerDoctorCommand,
  registerPlanCommand,
  registerPlansCommand,
  registerApproveCommand,
  registerProtectCommand,
  registerOverrideCommand,
  registerApplyCommand,
  registerStatusCommand,
  registerCalendarCommand,
  registerOperateCommand,
  registerFreezeCommand,
  registerCutoverCommand,
  registerVerifyCommand,
  registerReconcileCommand,
  registerWhyCommand,
  registerQuarantineCommand,
  registerAuditCommand,
  registerRateCardCommand,
  registerWorkerCommand,
  registerSchedulerCommand,
  registerUpCommand,
  registerDemoCommand,
];
