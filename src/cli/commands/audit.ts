// `audit`: who did what, when and why, the newest entries; or whether the audit is what was recorded.

import { findDataCenter } from '../../compose.js';
import type { ChainHead } from '../../domain/operate/verify-chain.js';
import { findAuditCuts } from '../../engine/operate/accept-audit-cut.js';
import { readAudit } from '../../engine/operate/read-audit.js';
import { type AuditProof, verifyAudit } from '../../engine/operate/verify-audit.js';
import { command, quoteArgument } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { raiseLimit } from '../arguments/parse-options.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { auditCsv, showAudit, showMore } from '../views/show-audit.js';
import { cutDocument } from '../views/show-audit-cut.js';
import { showChain, showCut } from '../views/show-chain.js';
import { runProposeCut, runWithdrawCut } from './accept-cut.js';

export interface AuditFlags {
  readonly dc?: string;
  readonly by?: string;
  readonly action?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
  readonly verify?: boolean;
  readonly head?: readonly ChainHead[];
  readonly acceptCut?: boolean;
  readonly withdraw?: boolean;
  readonly execute?: boolean;
  readonly limit: number;
}

export function runAudit(session: CliSession, { csv, limit, verify, head, ...given }: AuditFlags): Promise<number> {
  const { acceptCut, execute, withdraw, ...flags } = given;
  if (verify === true) {
    const { dc, ...filters } = flags;
    rejectFilters({ csv, ...filters, ...((acceptCut !== true || withdraw === true) && { dc }) });
    rejectWithoutCut({ acceptCut, execute, withdraw, head });
    if (withdraw === true) return runWithdrawCut(session);
    if (execute === true) return runProposeCut(session, dc);
    return runVerifyAudit(session, head ?? [], acceptCut === true ? { dc } : undefined);
  }
  const proofs = Object.entries({ head, 'accept-cut': acceptCut, execute, withdraw }).find(
    ([, value]) => value !== undefined,
  );
  if (proofs !== undefined)
    throw new RolloutError('invalid_argument', {
      message: `--${proofs[0]} belongs to --verify.`,
      next: `Add --verify, or leave --${proofs[0]} out.`,
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

/** A cell that cannot be read may keep what proves the opposite. */
const EXITS = { intact: 0, accepted: 0, uncompared: 4, broken: 5 } as const satisfies Record<
  AuditProof['kind'],
  number
>;

/** `cut`: what control has lost, of the cell of `dc` only, is shown too. */
function runVerifyAudit(
  session: CliSession,
  heads: readonly ChainHead[],
  cut: { readonly dc: string | undefined } | undefined,
): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const dc = cut?.dc === undefined ? undefined : findDataCenter(program.config, cut.dc).id;
    if (cut !== undefined)
      for (const one of await findAuditCuts(program.engine, dc))
        session.warn(`${showCut(one)} This would be proposed as lost. Nothing was changed.`);
    const proof = await verifyAudit(program.engine, heads);
    const { kind, link, accepted, proposed, ...found } = proof;
    session.report(
      {
        intact: kind === 'uncompared' ? null : kind !== 'broken',
        complete: kind === 'intact',
        ...{ link, ...found, accepted: accepted.map(({ heads: _, ...entry }) => entry) },
        proposed: proposed === null ? null : cutDocument(proposed),
      },
      showChain(withPrintableTexts(proof), session.commands),
    );
    return EXITS[kind];
  });
}

/** Two people accept a loss; neither verb goes with the other, or with what only a proof takes. */
function rejectWithoutCut(flags: Readonly<Record<'acceptCut' | 'execute' | 'withdraw' | 'head', unknown>>): void {
  const { acceptCut, execute, withdraw, head } = flags;
  const verb = withdraw === true ? 'withdraw' : execute === true ? 'execute' : undefined;
  if (verb === undefined) return;
  if (acceptCut !== true)
    throw new RolloutError('invalid_argument', {
      message: `--${verb} belongs to --accept-cut here.`,
      next: `Add --accept-cut, or leave --${verb} out.`,
    });
  const other = withdraw === true && execute === true ? 'execute' : head === undefined ? undefined : 'head';
  if (other !== undefined)
    throw new RolloutError('invalid_argument', {
      message: `--accept-cut --${verb} does nothing else, so it takes no --${other}.`,
      next: `Leave --${other} out.`,
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
