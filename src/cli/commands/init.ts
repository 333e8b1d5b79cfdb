// `init`: makes or upgrades our schemas in control, cells and queue. Idempotent; safe when run by several at once.

import { type InitReport, initAll } from '../../engine/setup/init-all.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { loadCheckedCard } from '../arguments/load-checked-card.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export interface InitFlags {
  readonly grant?: string;
  readonly changeFeed?: boolean;
  readonly signUpTrigger?: boolean;
  readonly rotateSeals?: boolean;
  readonly dc?: readonly string[];
}

export function runInit(
  session: CliSession,
  { grant, changeFeed, signUpTrigger, rotateSeals, dc }: InitFlags,
): Promise<number> {
  return withProgram(session, { policy: 'kept' }, async (program) => {
    const dataCenters = pickDataCenters(program.config, dc);
    const card = await loadCheckedCard(program);
    if (program.embedded !== undefined) await program.seedSamples();
    const report = await initAll(program.engine, {
      config: program.config,
      card,
      dataCenters,
      ...(dc !== undefined && { comeBack: dc }),
      initQueue: program.initQueue,
      grant,
      changeFeed: changeFeed ? 'wanted' : 'as_before',
      signUpTrigger: signUpTrigger ? 'wanted' : 'as_before',
      sealKeys: rotateSeals ? 'new' : 'existing',
    });
    session.report(initDocument(report), showInit(session, withPrintableTexts(report)));
    return 0;
  });
}

/** The hash of a card has one key in every document. */
const initDocument = ({ cells, ...report }: InitReport): Readonly<Record<string, unknown>> => ({
  ...report,
  cells: cells.map(({ activeCard, ...cell }) => ({ ...cell, cardHash: activeCard })),
});

function showInit({ commands }: CliSession, { controlMigrations, left, cells }: InitReport): string {
  const made = (names: readonly string[]): string =>
    names.length === 0 ? 'up to date' : `${names.length} migrations applied`;
  return [
    `✔ control database: ${made(controlMigrations)}`,
    ...cells.map(
      (cell) =>
        `✔ ${cell.dataCenter}: ${made(cell.migrations)}, ${cell.attached ? 'attached to' : 'still attached to'} ${cell.source}${cell.changeFeed ? ', triggers for the change feed' : ''}${cell.signUpTrigger ? ', sign-up trigger' : ''}`,
    ),
    ...left.map(
      (id) =>
        `· ${id}: has left the fleet; nothing was done. To add it again: ${commands.show(command`init --dc ${id}`)}`,
    ),
    '✔ queue: ready',
    `Next: ${commands.show('doctor')}, then ${commands.show('plan --dc ID')}`,
  ].join('\n');
}
