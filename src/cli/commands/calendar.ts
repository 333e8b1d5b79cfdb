// `calendar`: what would happen when, per data center, local and UTC. Does nothing.
import type { Command } from 'commander';
import { readCalendar } from '../../engine/operate/read-calendar.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { calendarDocument, showCalendar } from '../views/show-calendar.js';

interface CalendarFlags {
  readonly from?: string;
  readonly to?: string;
  readonly dc?: readonly string[];
}

export function registerCalendarCommand(cli: Command, execute: Execute): void {
  cli
    .command('calendar')
    .description('what would happen when: starts, windows, bakes, nights, cut-overs, changes of the clocks')
    .option('--from <when>', 'local date or time in each zone; left out: now')
    .option('--to <when>', 'likewise, not included; left out: 14 days later')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: CalendarFlags) => execute((session) => runCalendar(session, flags)));
}

function runCalendar(session: CliSession, { from, to, dc }: CalendarFlags): Promise<number> {
  return withProgram(session, {}, async ({ engine, config }) => {
    const dataCenters = pickDataCenters(config, dc);
    const calendar = await readCalendar(engine, { config, dataCenters, from, to });
    session.report(calendarDocument(calendar), showCalendar(calendar, session));
    return 0;
  });
}
