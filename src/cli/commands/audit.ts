// `audit`: who did what, when and why, the newest entries; or whether the audit is what was recorded.

import { findDataCenter } from '../../compose.js';
import type { ChainHead } from '../../domain/operate/verify-chain.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { verifyAudit } from '../../engine/operate/verify-audit.js';
import { command, quoteArgument } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { raiseLimit } from '../arguments/parse-options.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { auditCsv, showAudit, showMore } from '../views/show-audit.js';
import { showChain } from '../views/show-chain.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly by?: string;
  readonly action?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
  readonly verify?: boolean;
  readonly head?: readonly ChainHead[];
  readonly limit: number;
}

export function runAudit(session: CliSession, { csv, limit, verify, head, ...flags }: AuditFlags): Promise<number> {
  if (verify === true) {
    rejectFilters({ csv, ...flags });
    return runVerifyAudit(session, head ?? []);
  }
  if (head !== undefined)
    throw new RolloutError('invalid_argument', {
      message: '--head is compared by --verify only.',
      next: 'Add --verify, or leave --head out.',
    });
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { dc, by: actor, action, from, to } = flags;
    const dataCenter = dc === undefined ? undefined : findDataCenter(program.config, dc);
    const zone = dataCenter?.zone ?? 'UTC';
    const list = await readAudit(program.engine, limit, { dataCenter: dataCenter?.id, actor, action, from, to, zone });
    const chosen = Object.entries({ dc, by: actor, action, from, to }).flatMap(([name, value]) =>
      value === undefined ? [] : [command`--${name} ${quoteArgument(value, 'TEXT')}`],
    );
    const older = session.commands.show(
      command`audit ${chosen} ${csv && command('--csv')} --limit ${raiseLimit(limit)}`,
    );
    if (csv && !session.options.json) {
      session.io.out(auditCsv(session.asShown(list)));
      // beside the file, which is complete only up to there
      if (list.more) session.warn(showMore(list.entries.length, older));
    } else
      session.report(
        { audit: list.entries, more: list.more },
        showAudit(withPrintableTexts(list), older, session.width()),
      );
    return 0;
  });
}

const MISMATCH = 5;

function runVerifyAudit(session: CliSession, heads: readonly ChainHead[]): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const proof = await verifyAudit(program.engine, heads);
    const { kind, link, ...found } = proof;
    session.report({ intact: kind === 'intact', link, ...found }, showChain(proof));
    return kind === 'intact' ? 0 : MISMATCH;
  });
}

/** A chain is whole or it is nothing. */
function rejectFilters(flags: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(flags).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new RolloutError('invalid_argument', {
    message: `--verify reads the whole audit, so it takes no --${given[0]}.`,
    next: `Leave --${given[0]} out.`,
  });
}
