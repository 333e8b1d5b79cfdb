// `doctor` for people: every check under its subject, with the fix below what is wrong.
import type { Finding, FindingLevel } from '../../engine/doctor/finding.js';
import { formatAdvice } from '../../kernel/advice.js';
import { toPrintable } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import type { Paint, Tone } from '../terminal/paint.js';

const LEVELS: Readonly<Record<FindingLevel, { readonly mark: string; readonly tone: Tone }>> = {
  ok: { mark: '✔ ok', tone: 'green' },
  warning: { mark: '⚠ warning', tone: 'yellow' },
  error: { mark: '✖ error', tone: 'red' },
};
const WIDTH = 9;

export function showFindings(
  findings: readonly Finding[],
  view: { readonly commands: CommandNames; readonly paint: Paint },
): string {
  const subjects = [...new Set(findings.map(({ subject }) => subject))];
  const count = (level: FindingLevel): number => findings.filter((finding) => finding.level === level).length;
  const blocks = subjects.flatMap((subject) => [
    view.paint(subject, 'bold'),
    ...findings.filter((finding) => finding.subject === subject).flatMap((finding) => showFinding(finding, view)),
  ]);
  return [
    ...blocks,
    '',
    `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}, ${plural(count('ok'), 'check')} good`,
  ].join('\n');
}

function showFinding(
  { level, check, found, fix, code }: Finding,
  { commands, paint }: { readonly commands: CommandNames; readonly paint: Paint },
): readonly string[] {
  const { mark, tone } = LEVELS[level];
  const named = code === undefined ? '' : ` [${code}]`;
  const line = `  ${paint(mark.padEnd(WIDTH), tone)}  ${check}: ${toPrintable(found)}${named}`;
  return fix === null
    ? [line]
    : [line, `             fix: ${commands.showAdvice(fix).replaceAll('\n', '\n             ')}`];
}

/** Every finding, its fix as text; never what a server wrote. */
export const findingsDocument = (findings: readonly Finding[]): Readonly<Record<string, unknown>> => ({
  findings: findings.map(({ cause: _, ...finding }) => ({
    ...finding,
    fix: finding.fix === null ? null : formatAdvice(finding.fix),
  })),
});

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
