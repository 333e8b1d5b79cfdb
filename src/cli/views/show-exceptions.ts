// Exceptions for people: what an org asks for in its own words, and the answer. Only for the screen of who asked.

import type { AnsweredException, ExceptionList, ExceptionReport } from '../../engine/usage/exceptions.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showInstant } from '../terminal/numbers.js';
import { wrapText } from '../terminal/wrap-text.js';
import { describeNoEffect } from './show-override.js';

const INDENT = 4;
const LONGEST = 76;
const columnsOf = (width: number): number => Math.min(LONGEST, width - INDENT);

export function showExceptions(
  { dataCenter, counts, exceptions }: ExceptionList,
  { zone, commands, width }: { readonly zone: string; readonly commands: CommandNames; readonly width: number },
): string {
  const { open, granted, declined, withdrawn } = counts;
  const sum = `${showCount(open)} open, ${showCount(granted)} granted, ${showCount(declined)} declined, ${showCount(withdrawn)} withdrawn`;
  if (exceptions.length === 0) return `✔ ${dataCenter}: no exception waits for an answer (${sum}).`;
  return [
    `${dataCenter}: ${sum}`,
    ...exceptions.flatMap((one) => [
      '',
      `  org ${showName(one.orgId)}: ${one.state}, asked ${showInstant(one.askedAt, zone)}`,
      `    by ${showName(one.askedBy)}${describeWish(one)}`,
      ...wrapText(one.text, columnsOf(width)).map((line) => `    ${line}`),
      ...(one.override === null ? [] : [`    its override: ${one.override}`]),
      ...(one.answeredAt === null
        ? []
        : [
            `    answered by ${one.answeredBy === null ? '–' : showName(one.answeredBy)}, ${showInstant(one.answeredAt, zone)}`,
          ]),
      ...(one.answer === null ? [] : wrapText(one.answer, columnsOf(width)).map((line) => `    ${line}`)),
    ]),
    '',
    `Next: ${commands.show(command`exception answer ORG --dc ${dataCenter}`)}`,
  ].join('\n');
}

const describeWish = ({ wanted, until }: Pick<ExceptionReport, 'wanted' | 'until'>): string =>
  [
    ...(wanted === null ? [] : [`wants ${showCount(wanted)} credits a day`]),
    ...(until === null ? [] : [`until ${until}`]),
  ]
    .map((part) => `, ${part}`)
    .join('');

export function showException(report: ExceptionReport, next: string, width: number): string {
  const { executed, orgId, dataCenter, text } = report;
  return [
    `${executed ? '✔' : '·'} exception of org ${showName(orgId)} in ${dataCenter}${describeWish(report)}`,
    ...wrapText(text, columnsOf(width)).map((line) => `    ${line}`),
    '',
    executed ? 'It is stored, and waits for its answer.' : 'Nothing was stored.',
    `Next: ${next}`,
  ].join('\n');
}

export function showAnswer(report: AnsweredException, next: string, width: number): string {
  const { executed, orgId, dataCenter, text, answer, state, proposal } = report;
  return [
    `${executed ? '✔' : '·'} exception of org ${showName(orgId)} in ${dataCenter}${describeWish(report)}`,
    ...wrapText(text, columnsOf(width)).map((line) => `    ${line}`),
    ...(answer === null
      ? []
      : ['  the org is told:', ...wrapText(answer, columnsOf(width)).map((line) => `    ${line}`)]),
    '',
    ...(proposal === null ? [] : describeNoEffect(proposal)),
    executed ? describeDone(state, proposal?.overrideId) : 'Nothing was changed.',
    `Next: ${next}`,
  ].join('\n');
}

const describeDone = (state: ExceptionReport['state'], override: string | undefined): string =>
  override === undefined
    ? `It is ${state}.`
    : `The override ${override} is proposed. A second person's approval grants the exception.`;
