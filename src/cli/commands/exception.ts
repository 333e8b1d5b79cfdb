// `exception`: special cases that orgs ask for are added, listed and answered. Texts go to this screen only.

import { findDataCenter } from '../../compose.js';
import { parseLocalDate } from '../../domain/time/local-date.js';
import { addException, answerException, type ExceptionAnswer, listExceptions } from '../../engine/usage/exceptions.js';
import { type CommandText, command, quoteArgument } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showAnswer, showException, showExceptions } from '../views/show-exceptions.js';

interface ExecuteFlag {
  readonly dc: string;
  readonly execute?: boolean;
}

export interface ListExceptionsFlags {
  readonly dc: string;
  readonly all?: boolean;
  readonly limit: number;
}

export interface AddExceptionFlags extends ExecuteFlag {
  readonly text: string;
  readonly wanted?: bigint | 'none';
  readonly until?: string;
}

export interface AnswerExceptionFlags extends ExecuteFlag {
  readonly floor?: bigint | 'none';
  readonly decline?: string;
  readonly withdraw?: boolean;
}

export function runListExceptions(session: CliSession, { dc, all, limit }: ListExceptionsFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { id, zone } = findDataCenter(program.config, dc);
    const which = all === true ? 'all' : 'open';
    const list = await listExceptions(program.engine, { dataCenter: id, which, limit });
    session.report(
      { ...list },
      showExceptions(withPrintableTexts({ ...list, exceptions: list.exceptions.map(onOneLine) }), {
        zone,
        commands: session.commands,
        width: session.width(),
      }),
    );
    return 0;
  });
}

export function runAddException(session: CliSession, orgId: string, flags: AddExceptionFlags): Promise<number> {
  const { dc, text, wanted = null, until = null, execute } = flags;
  if (wanted === 'none' || wanted === 0n)
    throw new RolloutError('invalid_argument', {
      message: 'An org that wants no credits needs no exception.',
      next: 'Give --wanted a number of credits a day, or leave it out.',
    });
  if (until !== null) parseLocalDate(until);
  return withProgram(session, {}, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    const reason = execute === true ? getReason(session, 'An exception') : null;
    const report = await addException(program.engine, { dataCenter, orgId, text, wanted, until }, reason);
    const next = session.commands.show(
      report.executed
        ? command`exception answer ${quoteArgument(orgId, 'ORG')} --dc ${dataCenter}`
        : command('exception add … --execute --reason TEXT'),
    );
    session.report({ ...report, next }, showException(withPrintableTexts(onOneLine(report)), next, session.width()));
    return 0;
  });
}

export function runAnswerException(session: CliSession, orgId: string, flags: AnswerExceptionFlags): Promise<number> {
  const answer = getAnswer(flags);
  return withProgram(session, {}, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, flags.dc);
    const reason = flags.execute === true ? getReason(session, 'The answer to an exception') : null;
    const report = await answerException(program.engine, { dataCenter, orgId }, answer, reason);
    const next = session.commands.show(nextOf(report, dataCenter));
    session.report({ ...report, next }, showAnswer(withPrintableTexts(onOneLine(report)), next, session.width()));
    return 0;
  });
}

/** A line that an org began in its text is no line of ours. */
const onOneLine = <T extends { readonly text: string; readonly answer: string | null }>(one: T): T => ({
  ...one,
  text: one.text.replaceAll(/\s+/gu, ' '),
  answer: one.answer?.replaceAll(/\s+/gu, ' ') ?? null,
});

const nextOf = (
  { executed, proposal }: { readonly executed: boolean; readonly proposal: { readonly overrideId: string } | null },
  dataCenter: string,
): CommandText => {
  if (!executed) return command('exception answer … --execute --reason TEXT');
  return proposal === null ? command`exception list --dc ${dataCenter}` : command`approve ${proposal.overrideId}`;
};

function getAnswer({ floor, decline, withdraw }: AnswerExceptionFlags): ExceptionAnswer {
  const given: readonly ExceptionAnswer[] = [
    ...(floor === undefined ? [] : [{ kind: 'override', floor: floor === 'none' ? null : floor } as const]),
    ...(decline === undefined ? [] : [{ kind: 'declined', answer: decline } as const]),
    ...(withdraw === true ? [{ kind: 'withdrawn' } as const] : []),
  ];
  const [answer] = given;
  if (answer !== undefined && given.length === 1) return answer;
  throw new RolloutError('invalid_argument', {
    message: 'An exception is answered by one of --floor, --decline and --withdraw.',
    next: 'Give exactly one of them.',
  });
}
